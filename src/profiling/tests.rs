//! The forms of a profile, read back; and who says whether there is any.

use std::time::{Duration, SystemTime};

use super::{Frame, Profile, Stack, address};

fn frame(function: &str, line: u32) -> Frame {
    Frame { function: function.to_owned(), file: "proxy.rs".to_owned(), line }
}

fn profile() -> Profile {
    let stack = |thread: &str, frames: Vec<Frame>, count| Stack {
        thread: thread.to_owned(),
        frames,
        count,
    };
    Profile {
        stacks: vec![
            stack("data-0", vec![frame("sluice::proxy::page<T>", 7), frame("main", 300)], 3),
            stack("data-1", vec![frame("sluice::trino", 9), frame("main", 300)], 1),
        ],
        began: SystemTime::now(),
        took: Duration::from_secs(1),
        period: Duration::from_millis(10),
    }
}

#[test]
fn obs_f1_the_flame_graph_shows_each_function_once_under_its_callers() {
    let svg = profile().flame_graph();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(svg.contains("4 samples in 1.0 s"), "{svg}");
    assert!(
        svg.contains("<title>sluice::proxy::page&lt;T&gt;: 3 samples, 75.0 %</title>"),
        "{svg}"
    );
    assert_eq!(svg.matches("<title>main:").count(), 2, "once for each thread");
    let hostile = Profile {
        stacks: vec![Stack { thread: "<script>\u{1}\"&".to_owned(), frames: Vec::new(), count: 1 }],
        ..profile()
    };
    assert!(!hostile.flame_graph().contains("<script>"));
    let empty = Profile { stacks: Vec::new(), ..profile() };
    assert!(empty.flame_graph().contains("0 samples"));
}

#[test]
fn obs_f1_the_environment_wins_over_the_file() {
    let file = "127.0.0.1:6060".parse().unwrap();
    let of = |enabled, pairs: &[(&str, &str)]| {
        address(enabled, file, |name| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    };
    let other = Some("127.0.0.1:7070".parse().unwrap());
    assert_eq!(of(false, &[]), Ok(None));
    assert_eq!(of(true, &[]), Ok(Some(file)));
    assert_eq!(of(false, &[("SLUICE_PPROF", "1")]), Ok(Some(file)));
    assert_eq!(of(true, &[("SLUICE_PPROF", "0")]), Ok(None));
    assert_eq!(of(true, &[("SLUICE_PPROF", "")]), Ok(Some(file)), "set to nothing is not set");
    assert_eq!(of(true, &[("SLUICE_PPROF_ADDR", "127.0.0.1:7070")]), Ok(other));
    assert_eq!(of(false, &[("SLUICE_PPROF_ADDR", "127.0.0.1:7070")]), Ok(None));
    for (name, value) in [("SLUICE_PPROF", "yes"), ("SLUICE_PPROF_ADDR", "6060")] {
        let words = of(true, &[(name, value)]).unwrap_err().to_string();
        assert!(words.contains(name) && words.contains(value), "{words}");
    }
}
