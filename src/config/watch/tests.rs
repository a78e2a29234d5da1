//! The watcher against real files, in the ways that editors, Kubernetes and accidents change them.

use std::os::unix::fs::symlink;

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;

/// No reading takes longer, even on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// Long enough to see that nothing comes, with retries and a debounce in it.
const LONG_ENOUGH: Duration = Duration::from_millis(1500);

fn text(group: &str) -> String {
    format!("routingGroups: [{{name: {group}, backends: [{{name: a, url: 'http://a'}}]}}]\n")
}

struct Scene {
    folder: TempDir,
    path: PathBuf,
    watcher: Watcher,
    readings: mpsc::Receiver<Reading>,
    cancel: CancellationToken,
}

impl Scene {
    /// A watched file; `lay` puts it into the folder.
    fn new(lay: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        lay(folder.path());
        let path = folder.path().join("sluice.yaml");
        let (sender, readings) = mpsc::channel(16);
        let cancel = CancellationToken::new();
        let running = config::load(&path).unwrap().state();
        let watcher = Watcher::start(path.clone(), running, sender, &cancel);
        Self { folder, path, watcher, readings, cancel }
    }

    fn plain() -> Self {
        Self::new(|folder| std::fs::write(folder.join("sluice.yaml"), text("first")).unwrap())
    }

    async fn next(&mut self) -> Reading {
        timeout(SOON, self.readings.recv()).await.expect("a reading in time").expect("a reading")
    }

    /// The group of the next reading, which is a good one.
    async fn group(&mut self) -> String {
        let loaded = self.next().await.outcome.unwrap();
        loaded.config.routing_groups[0].name.clone()
    }

    async fn problems(&mut self) -> String {
        self.next().await.outcome.unwrap_err().to_string()
    }

    async fn nothing_comes(&mut self) {
        if let Ok(reading) = timeout(LONG_ENOUGH, self.readings.recv()).await {
            panic!("nothing was to be told, but: {reading:?}");
        }
    }
}

#[tokio::test]
async fn a_written_file_is_read_once_for_each_content() {
    let mut scene = Scene::plain();
    std::fs::write(&scene.path, text("second")).unwrap();
    assert_eq!(scene.group().await, "second");
    std::fs::write(&scene.path, text("second")).unwrap();
    std::fs::write(scene.folder.path().join("other"), "x").unwrap();
    scene.nothing_comes().await;
}

#[tokio::test]
async fn an_editors_rename_is_seen() {
    let mut scene = Scene::plain();
    let draft = scene.folder.path().join(".sluice.yaml.swp");
    std::fs::write(&draft, text("second")).unwrap();
    std::fs::rename(&scene.path, scene.folder.path().join("sluice.yaml~")).unwrap();
    std::fs::rename(&draft, &scene.path).unwrap();
    assert_eq!(scene.group().await, "second");
}

#[tokio::test]
async fn a_configmaps_symlink_swap_is_seen() {
    let lay = |folder: &Path, version: &str, group: &str| {
        std::fs::create_dir(folder.join(version)).unwrap();
        std::fs::write(folder.join(version).join("sluice.yaml"), text(group)).unwrap();
        symlink(version, folder.join("..data_tmp")).unwrap();
        std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    };
    let mut scene = Scene::new(|folder| {
        lay(folder, "..one", "first");
        symlink("..data/sluice.yaml", folder.join("sluice.yaml")).unwrap();
    });
    for (version, group) in [("..two", "second"), ("..three", "third")] {
        lay(scene.folder.path(), version, group);
        assert_eq!(scene.group().await, group);
    }
}

#[tokio::test]
async fn a_link_to_another_folder_is_followed() {
    let elsewhere = tempfile::tempdir().unwrap();
    let real = elsewhere.path().join("real.yaml");
    std::fs::write(&real, text("first")).unwrap();
    let mut scene = Scene::new(|folder| symlink(&real, folder.join("sluice.yaml")).unwrap());
    std::fs::write(&real, text("second")).unwrap();
    assert_eq!(scene.group().await, "second");
}

#[tokio::test]
async fn a_wrong_file_is_told_once_and_the_cure_too() {
    let mut scene = Scene::plain();
    std::fs::write(&scene.path, "bogus: 1\n").unwrap();
    assert!(scene.problems().await.contains("unknown key `bogus`"));
    scene.nothing_comes().await;
    // Back to what runs: told, since the last word was a refusal.
    std::fs::write(&scene.path, text("first")).unwrap();
    assert_eq!(scene.group().await, "first");
}

/// X18: a reload whose reading fails is not lost.
#[tokio::test]
async fn peers_x18_what_cannot_be_read_is_tried_again_until_it_can() {
    let mut scene = Scene::plain();
    std::fs::remove_file(&scene.path).unwrap();
    assert!(scene.problems().await.contains("cannot be read"));
    scene.nothing_comes().await;
    std::fs::write(&scene.path, text("second")).unwrap();
    assert_eq!(scene.group().await, "second");
}

/// X18 without any event to wake the watcher: the folder was taken away and made anew.
#[tokio::test]
async fn peers_x18_a_folder_made_anew_is_found() {
    let mut scene = Scene::plain();
    std::fs::remove_dir_all(scene.folder.path()).unwrap();
    assert!(scene.problems().await.contains("cannot be read"));
    std::fs::create_dir(scene.folder.path()).unwrap();
    std::fs::write(&scene.path, text("second")).unwrap();
    assert_eq!(scene.group().await, "second");
}

#[tokio::test]
async fn a_poke_reads_even_what_did_not_change() {
    let mut scene = Scene::plain();
    scene.watcher.poke().reload();
    assert_eq!(scene.group().await, "first");
}

#[tokio::test]
async fn who_asks_hears_what_became_of_it() {
    let mut scene = Scene::plain();
    let poke = scene.watcher.poke();
    let asker = tokio::spawn(async move { poke.reload_and_wait().await });
    let reading = scene.next().await;
    assert!(reading.outcome.is_ok());
    reading.asked_by.unwrap().send(Err("needs a restart: data.bind".to_owned()));
    assert_eq!(asker.await.unwrap(), Err("needs a restart: data.bind".to_owned()));
}

#[tokio::test]
async fn the_task_ends_with_its_owner_and_with_the_process() {
    let mut dropped = Scene::plain();
    let poke = dropped.watcher.poke();
    drop(dropped.watcher);
    assert!(timeout(SOON, dropped.readings.recv()).await.unwrap().is_none());
    assert!(poke.reload_and_wait().await.is_err());

    let mut cancelled = Scene::plain();
    cancelled.cancel.cancel();
    assert!(timeout(SOON, cancelled.readings.recv()).await.unwrap().is_none());
    cancelled.watcher.poke().reload();
}
