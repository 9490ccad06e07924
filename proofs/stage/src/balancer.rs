use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// One address in front of several replicas, in turn: a connection goes to the next that takes it.
#[derive(Debug)]
pub(crate) struct Balancer {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Balancer {
    pub(crate) async fn start(replicas: Vec<SocketAddr>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, replicas.into()));
        Ok(Self {
            address,
            _tasks: tasks,
        })
    }
}

async fn accept(listener: TcpListener, replicas: Arc<[SocketAddr]>) {
    let mut connections = JoinSet::new();
    let mut turn = 0;
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let replicas = Arc::clone(&replicas);
        connections.spawn(async move { forward(client, &replicas, turn).await });
        turn += 1;
    }
}

async fn forward(mut client: TcpStream, replicas: &[SocketAddr], turn: usize) {
    for offset in 0..replicas.len() {
        let Some(replica) = replicas.get((turn + offset) % replicas.len()) else {
            return;
        };
        if let Ok(mut server) = TcpStream::connect(replica).await {
            client.set_nodelay(true).ok();
            server.set_nodelay(true).ok();
            copy_bidirectional(&mut client, &mut server).await.ok();
            return;
        }
    }
}
