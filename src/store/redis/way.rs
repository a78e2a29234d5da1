//! How a connection comes about: from one server, by asking Sentinels, or from nodes of a cluster.
//!
//! Sentinels are asked anew for each connection, so that one that broke leads to the server of today.

use std::{fmt, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _,
    RedisError, RedisResult, TlsMode, Value,
    aio::{ConnectionLike as _, MultiplexedConnection},
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};

use crate::config::model;

/// For a connection with its greeting: some round trips on a slow network, and soon enough to try the next.
pub(super) const CONNECT: Duration = Duration::from_secs(3);

/// Where connections come from.
pub(super) enum Way {
    Server(Client),
    Sentinel(tokio::sync::Mutex<SentinelClient>),
    Cluster(ClusterClient),
}

/// An open connection; its clones share it.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Way {
    pub(super) fn new(settings: &model::Redis) -> Result<Self, String> {
        Self::by(settings).map_err(|error| words(&error))
    }

    fn by(settings: &model::Redis) -> RedisResult<Self> {
        if let Some(sentinel) = &settings.sentinel {
            return by_sentinels(settings, sentinel);
        }
        if let Some(url) = &settings.url {
            return Ok(Self::Server(Client::open(server(url, settings)?)?));
        }
        let nodes = settings.cluster.iter().map(|url| server(url, settings));
        let nodes = nodes.collect::<RedisResult<Vec<_>>>()?;
        // What gets no answer is told, not repeated: it may have been done.
        let cluster = ClusterClientBuilder::new(nodes)
            .retries(1)
            .connection_timeout(CONNECT)
            .response_timeout(CONNECT)
            .build()?;
        Ok(Self::Cluster(cluster))
    }

    /// A new connection; its caller sets the deadline.
    pub(super) async fn open(&self) -> RedisResult<Connection> {
        // Each call has its own deadline, by which it goes on without an answer.
        let set = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(None);
        match self {
            Self::Server(client) => {
                client.get_multiplexed_async_connection_with_config(&set).await.map(Connection::One)
            }
            Self::Sentinel(client) => {
                let mut client = client.lock().await;
                client.get_async_connection_with_config(&set).await.map(Connection::One)
            }
            Self::Cluster(client) => client.get_async_connection().await.map(Connection::Cluster),
        }
    }
}

impl Connection {
    pub(super) async fn ask(&mut self, asked: &Cmd) -> RedisResult<Value> {
        match self {
            Self::One(connection) => connection.req_packed_command(asked).await,
            Self::Cluster(connection) => connection.req_packed_command(asked).await,
        }
    }
}

fn by_sentinels(settings: &model::Redis, sentinel: &model::Sentinel) -> RedisResult<Way> {
    let asked: Vec<ConnectionInfo> = sentinel
        .urls
        .iter()
        .map(|url| url.as_str().into_connection_info())
        .collect::<Result<_, _>>()?;
    let addresses = asked.iter().map(|info| info.addr().clone());
    let mut builder =
        SentinelClientBuilder::new(addresses, &sentinel.master, SentinelServerType::Master)?;
    if let Some(first) = asked.first() {
        // They share one set of credentials.
        let theirs = first.redis_settings();
        if let Some(user) = theirs.username() {
            builder = builder.set_client_to_sentinel_username(user);
        }
        if let Some(password) = theirs.password() {
            builder = builder.set_client_to_sentinel_password(password);
        }
        // A server is spoken to as its Sentinels are.
        if matches!(first.addr(), ConnectionAddr::TcpTls { .. }) {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        }
    }
    if let Some(user) = &settings.username {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = &settings.password {
        builder = builder.set_client_to_redis_password(password);
    }
    Ok(Way::Sentinel(tokio::sync::Mutex::new(builder.build()?)))
}

fn server(url: &str, settings: &model::Redis) -> RedisResult<ConnectionInfo> {
    let info = url.into_connection_info()?;
    let mut redis = info.redis_settings().clone();
    if let Some(user) = &settings.username {
        redis = redis.set_username(user);
    }
    if let Some(password) = &settings.password {
        redis = redis.set_password(password);
    }
    Ok(info.set_redis_settings(redis))
}

/// Words for people that quote nothing: an error's own may hold a URL.
pub(super) fn words(error: &RedisError) -> String {
    error.code().unwrap_or_else(|| error.category()).to_owned()
}

/// No URL, no password.
impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server(_) => "Server",
            Self::Sentinel(_) => "Sentinel",
            Self::Cluster(_) => "Cluster",
        })
    }
}
