use chrono::{DateTime, Utc};
use contracts::{
    CallbackData, CallbackError, CallbackPayload, CallbackType, InboundKind, InboundReceived,
    MessageUpdate,
};
use domain::{ErrorClass, InboundMessageId, MessageId, MessageState, TenantId};
use uuid::Uuid;

const UUID: Uuid = Uuid::from_u128(0x0190_a1b2_c3d4_7abc_8def_0123_4567_89ab);

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn update(state: MessageState) -> Option<CallbackPayload> {
    let update = MessageUpdate {
        lab_id: TenantId::from_uuid(UUID),
        message_id: MessageId::from_uuid(UUID),
        state,
        occurred_at: instant("2026-11-21T10:30:00Z"),
        error: None,
    };
    CallbackPayload::updated(instant("2026-11-21T10:30:01.25Z"), update)
}

fn failed() -> CallbackPayload {
    let mut payload = update(MessageState::Failed).unwrap();
    if let CallbackData::Update(update) = &mut payload.data {
        update.error = Some(CallbackError {
            code: "MESSAGE_SEND_FAILED".to_owned(),
            provider_code: Some(131_026),
            class: ErrorClass::Unreachable,
        });
    }
    payload
}

fn received() -> CallbackPayload {
    let received = InboundReceived {
        lab_id: TenantId::from_uuid(UUID),
        inbound_id: InboundMessageId::from_uuid(UUID),
        kind: InboundKind::Text,
        occurred_at: instant("2026-11-21T10:30:00Z"),
    };
    CallbackPayload::received(instant("2026-11-21T10:30:01.25Z"), received)
}

#[test]
fn the_wire_form_of_a_delivered_callback_is_stable() {
    insta::assert_json_snapshot!(update(MessageState::Delivered).unwrap(), @r#"
    {
      "type": "message.delivered",
      "timestamp": "2026-11-21T10:30:01.250Z",
      "data": {
        "lab_id": "lab_0190a1b2c3d47abc8def0123456789ab",
        "message_id": "msg_0190a1b2c3d47abc8def0123456789ab",
        "state": "delivered",
        "occurred_at": "2026-11-21T10:30:00Z"
      }
    }
    "#);
}

#[test]
fn the_wire_form_of_a_failed_callback_is_stable() {
    insta::assert_json_snapshot!(failed(), @r#"
    {
      "type": "message.failed",
      "timestamp": "2026-11-21T10:30:01.250Z",
      "data": {
        "lab_id": "lab_0190a1b2c3d47abc8def0123456789ab",
        "message_id": "msg_0190a1b2c3d47abc8def0123456789ab",
        "state": "failed",
        "occurred_at": "2026-11-21T10:30:00Z",
        "error": {
          "code": "MESSAGE_SEND_FAILED",
          "provider_code": 131026,
          "class": "unreachable"
        }
      }
    }
    "#);
}

#[test]
fn the_wire_form_of_a_received_callback_is_stable() {
    insta::assert_json_snapshot!(received(), @r#"
    {
      "type": "message.received",
      "timestamp": "2026-11-21T10:30:01.250Z",
      "data": {
        "lab_id": "lab_0190a1b2c3d47abc8def0123456789ab",
        "inbound_id": "inb_0190a1b2c3d47abc8def0123456789ab",
        "kind": "text",
        "occurred_at": "2026-11-21T10:30:00Z"
      }
    }
    "#);
}

#[test]
fn every_state_but_queued_has_its_own_callback() {
    for state in MessageState::ALL {
        let payload = update(*state);
        if *state == MessageState::Queued {
            assert_eq!(payload, None);
            continue;
        }
        let json = serde_json::to_value(payload.unwrap()).unwrap();
        assert_eq!(json["type"], format!("message.{state}"));
        assert_eq!(json["data"]["state"], state.as_str());
    }
}

#[test]
fn callbacks_read_back() {
    for payload in [update(MessageState::Read).unwrap(), failed(), received()] {
        let json = serde_json::to_string(&payload).unwrap();
        assert_eq!(
            serde_json::from_str::<CallbackPayload>(&json).unwrap(),
            payload
        );
    }
}

#[test]
fn an_unknown_kind_of_inbound_message_is_unsupported() {
    let mut json = serde_json::to_value(received()).unwrap();
    json["data"]["kind"] = "hologram".into();
    let payload: CallbackPayload = serde_json::from_value(json).unwrap();
    let CallbackData::Received(received) = payload.data else {
        panic!("not a received message: {payload:?}");
    };
    assert_eq!(received.kind, InboundKind::Unsupported);
    assert_eq!(payload.r#type, CallbackType::Received);
}
