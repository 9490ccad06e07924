use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::{
    graph::{Graph, refusal, unreadable},
    support::{FILENAME, HOUR, PATIENT, PHONE, TEXT, TOKEN, stage, with_pdf},
};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_log_of_a_failing_send_names_the_patient_or_the_token() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        // The stand-in for the provider runs in this process, too, and logs what it receives.
        .with_env_filter(EnvFilter::new("trace,wiremock=off"))
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = stage.lab().await;
    stage.window(&lab, 24 * HOUR).await;
    graph.answer_upload(unreadable());
    graph.answer_send(refusal(131_016));
    graph.answer_send(refusal(131_026));
    let id = stage.accept(&lab, with_pdf()).await;
    let broken = stage.accept(&lab, with_pdf()).await;
    let break_it = format!(
        "UPDATE messages SET content = recipient WHERE id = '{}'",
        broken.as_uuid()
    );
    stage.test.execute(&break_it).await;

    let engine = stage.engine(graph.client()).await;
    for attempts in 1..3 {
        stage.until_attempts(id, attempts).await;
        stage.clock.advance(HOUR);
    }
    stage.until_state(id, "failed").await;
    engine.finish().await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("could not prepare a send"),
        "nothing was logged"
    );
    for secret in [PATIENT, PHONE, TEXT, FILENAME, TOKEN, "haemoglobin"] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} was logged");
    }
}
