use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// What a server does after it has read a whole request.
pub(crate) enum Act {
    /// Writes this and keeps the connection.
    Answer(&'static str),
    /// Writes this and closes.
    Cut(&'static str),
    /// Says nothing and keeps the connection.
    Hang,
}

/// A server on bytes: one act for each request, whichever connection it comes on.
pub(crate) struct Server {
    pub(crate) url: String,
    requests: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let acts = Arc::new(Mutex::new(acts.into_iter().collect::<VecDeque<_>>()));
        let mut tasks = JoinSet::new();
        let counter = Arc::clone(&requests);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&acts), Arc::clone(&counter)));
            }
        });
        Self {
            url,
            requests,
            _tasks: tasks,
        }
    }

    /// How many requests came in full.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, acts: Arc<Mutex<VecDeque<Act>>>, requests: Arc<AtomicUsize>) {
    while read_request(&mut stream).await.is_some() {
        requests.fetch_add(1, Ordering::SeqCst);
        let act = acts.lock().unwrap().pop_front();
        match act {
            Some(Act::Answer(bytes)) => stream.write_all(bytes.as_bytes()).await.unwrap(),
            Some(Act::Cut(bytes)) => return stream.write_all(bytes.as_bytes()).await.unwrap(),
            Some(Act::Hang) => std::future::pending().await,
            None => return,
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1)?.lines().next()?;
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.ok().map(drop)
}
