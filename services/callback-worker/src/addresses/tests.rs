use super::*;

const PUBLIC_ONLY: AddressPolicy = AddressPolicy {
    allow_loopback: false,
};
const WITH_LOOPBACK: AddressPolicy = AddressPolicy {
    allow_loopback: true,
};

const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "168.63.129.15",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001::200e",
    // Each leads to 8.8.8.8.
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
];

const NOT_PUBLIC: &[&str] = &[
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::8.8.8.8",
    "::ffff:0:8.8.8.8",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    // A private IPv4 address in another dress.
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",
    "2002:a00:1::1",
    "2002:c0a8:101::1",
    "2002:7f00:1::1",
    "64:ff9b::127.0.0.1",
];

const LOOPBACK: &[&str] = &["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"];

fn resolved(policy: AddressPolicy, address: &str) -> Result<(), Forbidden> {
    policy.check_resolved("lims.example", address.parse().unwrap())
}

fn url(policy: AddressPolicy, url: &str) -> Result<(), Forbidden> {
    policy.check_url(&Url::parse(url).unwrap())
}

fn literal(address: &str) -> String {
    if address.contains(':') {
        format!("https://[{address}]/hook")
    } else {
        format!("https://{address}/hook")
    }
}

#[test]
fn public_addresses_are_called() {
    for address in PUBLIC {
        assert_eq!(resolved(PUBLIC_ONLY, address), Ok(()), "{address}");
        assert_eq!(url(PUBLIC_ONLY, &literal(address)), Ok(()), "{address}");
    }
}

#[test]
fn addresses_that_only_we_can_reach_are_never_called() {
    for address in NOT_PUBLIC {
        for policy in [PUBLIC_ONLY, WITH_LOOPBACK] {
            let forbidden = Err(Forbidden::NotPublic);
            assert_eq!(resolved(policy, address), forbidden, "{address}");
            assert_eq!(url(policy, &literal(address)), forbidden, "{address}");
        }
    }
}

#[test]
fn this_machine_is_called_only_where_that_is_allowed() {
    for address in LOOPBACK {
        let forbidden = Err(Forbidden::NotPublic);
        assert_eq!(resolved(PUBLIC_ONLY, address), forbidden, "{address}");
        assert_eq!(url(PUBLIC_ONLY, &literal(address)), forbidden, "{address}");
        assert_eq!(resolved(WITH_LOOPBACK, address), Ok(()), "{address}");
        assert_eq!(url(WITH_LOOPBACK, &literal(address)), Ok(()), "{address}");
    }
}

#[test]
fn other_spellings_of_an_address_are_the_same_address() {
    for spelling in [
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.1./",
        "https://127.1/",
        "https://%31%32%37.0.0.1/",
        "https://①②⑦.⓪.⓪.①/",
        "https://user@127.0.0.1/",
        "https://[0:0:0:0:0:ffff:7f00:1]/",
        "https://3232235521/",
    ] {
        assert_eq!(
            url(PUBLIC_ONLY, spelling),
            Err(Forbidden::NotPublic),
            "{spelling}"
        );
    }
}

#[test]
fn without_tls_only_this_machine_is_called_and_only_where_that_is_allowed() {
    for local in [
        "http://127.0.0.1:9000/",
        "http://[::1]:9000/",
        "http://localhost:9000/",
    ] {
        assert_eq!(url(WITH_LOOPBACK, local), Ok(()), "{local}");
        let forbidden = Err(Forbidden::NotEncrypted);
        assert_eq!(url(PUBLIC_ONLY, local), forbidden, "{local}");
    }
    for remote in [
        "http://lims.example/",
        "http://8.8.8.8/",
        "http://localhost.lims.example/",
    ] {
        let forbidden = Err(Forbidden::NotEncrypted);
        assert_eq!(url(WITH_LOOPBACK, remote), forbidden, "{remote}");
    }
}

#[test]
fn names_pass_and_are_judged_by_what_they_resolve_to() {
    assert_eq!(url(PUBLIC_ONLY, "https://lims.example:8443/hook"), Ok(()));
}

#[test]
fn localhost_leads_nowhere_else() {
    let public = "8.8.8.8".parse().unwrap();
    assert_eq!(
        WITH_LOOPBACK.check_resolved("localhost", public),
        Err(Forbidden::NotPublic)
    );
}

#[test]
fn other_schemes_are_not_called() {
    for other in ["ftp://lims.example/", "file:///etc/passwd", "data:,x"] {
        assert_eq!(url(WITH_LOOPBACK, other), Err(Forbidden::Unreadable));
    }
}
