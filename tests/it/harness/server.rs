//! A server of the store as a process of its own: on a free port, in a folder of its own, gone with its guard.

use std::{net::TcpListener, path::Path, process::Stdio, sync::Arc, time::Duration};

use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, aio::MultiplexedConnection};
use sluice::{
    config,
    metrics::Metrics,
    store::{Redis, Seal, SharedStore, Store, Terms},
};
use tokio::process::{Child, Command};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::wait;

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    folder: tempfile::TempDir,
}

impl Server {
    /// Started with these arguments besides the usual ones; ready when this returns.
    pub(crate) async fn start(program: &Path, more: &[&str]) -> Self {
        Self::start_on(program, free_port(), more).await
    }

    /// The same on that port.
    pub(crate) async fn start_on(program: &Path, port: u16, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port_word = port.to_string();
        let usual =
            ["--port", &port_word, "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"];
        let server = Self::run(program, folder, port, &[&usual, more].concat());
        server.until_ready().await;
        server
    }

    /// A Sentinel that watches the server at `port`.
    pub(crate) async fn sentinel(program: &Path, watched: u16) -> Self {
        Self::sentinel_with(program, watched, "").await
    }

    /// The same with more lines in its file.
    pub(crate) async fn sentinel_with(program: &Path, watched: u16, more: &str) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let file = folder.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\n{more}\nsentinel monitor main 127.0.0.1 {watched} 2\n\
             sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n"
        );
        std::fs::write(&file, text).unwrap();
        let file = file.display().to_string();
        let server = Self::run(program, folder, port, &[&file, "--sentinel"]);
        server.until_ready().await;
        server
    }

    fn run(program: &Path, folder: tempfile::TempDir, port: u16, words: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(words).current_dir(folder.path()).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child =
            command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        Self { child, port, folder }
    }

    async fn until_ready(&self) {
        wait::until_async("a server that answers", async || {
            self.try_ask::<String>(&redis::cmd("PING")).await.is_ok()
        })
        .await;
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// One question of the test's own.
    pub(crate) async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut cmd = redis::cmd(words[0]);
        for word in &words[1..] {
            cmd.arg(word);
        }
        self.try_ask(&cmd).await.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Whether it says that it is the first one; while it becomes that, it hangs up on everybody.
    pub(crate) async fn is_first(&self) -> bool {
        let role = self.try_ask::<redis::Value>(&redis::cmd("ROLE")).await;
        role.is_ok_and(|role| format!("{role:?}").contains("master"))
    }

    async fn try_ask<T: FromRedisValue>(&self, cmd: &Cmd) -> redis::RedisResult<T> {
        let mut connection = self.connection().await?;
        cmd.query_async(&mut connection).await
    }

    async fn connection(&self) -> redis::RedisResult<MultiplexedConnection> {
        // The crate's own deadlines are too short for a machine that compiles.
        let patient = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(wait::PATIENCE))
            .set_response_timeout(Some(wait::PATIENCE));
        let client = redis::Client::open(self.url())?;
        client.get_multiplexed_async_connection_with_config(&patient).await
    }

    /// As SIGKILL does.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// As SIGSTOP does: its connections stay open, and nobody is answered.
    pub(crate) async fn pause(&self) {
        self.signal("STOP").await;
    }

    /// It goes on where it was.
    pub(crate) async fn resume(&self) {
        self.signal("CONT").await;
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs");
        let told = Command::new("sh").arg("-c").arg(format!("kill -{name} {id}")).status().await;
        assert!(told.unwrap().success(), "{name}");
    }

    /// Killed; another one comes on the same port, empty.
    pub(crate) async fn replace(mut self, program: &Path) -> Self {
        self.kill().await;
        Self::start_on(program, self.port, &[]).await
    }

    /// Its folder lives as long as it does.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A port of its own for the talk between nodes of a cluster.
pub(crate) fn another_port() -> String {
    free_port().to_string()
}

/// A store as a gateway uses it.
#[derive(Debug)]
pub(crate) struct Used {
    pub(crate) store: Arc<Redis>,
    pub(crate) shared: SharedStore,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Used {
    /// By the keys of `store.redis` but for `secretFile`.
    pub(crate) fn by(keys: &str) -> Self {
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), "0a".repeat(32)).unwrap();
        let text = format!(
            "store: {{ redis: {{ {keys}, secretFile: '{}' }} }}\n\
             routingGroups: [{{name: a, backends: [{{name: a, url: 'http://a'}}]}}]\n",
            secret.path().display()
        );
        let config = config::from_text(&text, &Default::default()).unwrap();
        let settings = config.store.redis.unwrap();
        let (metrics, tasks, stop) =
            (Metrics::new().unwrap(), TaskTracker::new(), CancellationToken::new());
        let store = Redis::start(&settings, Arc::clone(&metrics), &tasks, stop.clone()).unwrap();
        let store = Arc::new(store);
        let seal = Some(Arc::new(Seal::read(&settings.secret_file).unwrap()));
        let terms = Terms { timeout: settings.timeout.get(), seal, ..Terms::FLEET };
        let kept = Arc::clone(&store) as Arc<dyn Store>;
        let shared = SharedStore::start(kept, terms, &metrics, None, (&tasks, stop.clone()));
        Self { store, shared, tasks, stop }
    }

    /// Ends its tasks, and shows that they end.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        let ended = tokio::time::timeout(Duration::from_secs(5), self.tasks.wait());
        ended.await.expect("its tasks end");
    }
}
