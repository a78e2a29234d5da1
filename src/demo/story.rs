//! `demo --once`: the steps in order, each told in a line that says what was seen, or what was wrong.
//!
//! A wrong answer does not end the story: whoever reads it wants to know what else is wrong.

use std::{
    future::Future,
    io::{self, Write},
};

use tokio::time::Instant;

use super::{stage::Stage, steps::Steps};

/// Tells the whole story; whether every step held.
pub(super) async fn tell(stage: &Stage, out: &mut impl Write) -> anyhow::Result<bool> {
    let began = Instant::now();
    let steps = Steps::new(stage)?;
    let mut story = Story { out, told: 0, wrong: 0 };
    story.step("Ready", steps.ready()).await?;
    story.step("Introduced", steps.info()).await?;
    story.step("Looked around", steps.fleet()).await?;
    story.step("Rows", steps.rows()).await?;
    story.step("Counted", steps.counted()).await?;
    story.step("Canceled", steps.canceled()).await?;
    story.step("Failed", steps.failed()).await?;
    story.step("Stranger", steps.stranger()).await?;
    story.step("Asleep", steps.asleep()).await?;
    story.step("Queued", steps.queued()).await?;
    story.step("Woken", steps.woken()).await?;
    story.step("Slept", steps.slept()).await?;
    story.step("Together", steps.together()).await?;
    story.step("Held down", steps.held_down()).await?;
    story.step("Told", steps.metrics()).await?;
    let Story { told, wrong, .. } = story;
    let took = began.elapsed().as_secs_f64();
    if wrong == 0 {
        writeln!(out, "\nAll {told} answers are right, in {took:.1} s.\n")?;
    } else {
        writeln!(out, "\n{wrong} of {told} answers are wrong.\n")?;
    }
    Ok(wrong == 0)
}

struct Story<'a, W> {
    out: &'a mut W,
    told: usize,
    wrong: usize,
}

impl<W: Write> Story<'_, W> {
    async fn step(
        &mut self,
        title: &str,
        step: impl Future<Output = anyhow::Result<String>>,
    ) -> io::Result<()> {
        self.told += 1;
        match step.await {
            Ok(seen) => writeln!(self.out, "  ok     {title:<14}{seen}"),
            Err(wrong) => {
                self.wrong += 1;
                writeln!(self.out, "  WRONG  {title:<14}{wrong:#}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wrong_answer_is_told_and_counted_and_the_story_goes_on() {
        let mut out = Vec::new();
        let mut story = Story { out: &mut out, told: 0, wrong: 0 };
        story.step("One", async { anyhow::bail!("two rows instead of three") }).await.unwrap();
        story.step("Two", async { Ok("fine".to_owned()) }).await.unwrap();
        assert_eq!((story.told, story.wrong), (2, 1));
        let told = String::from_utf8(out).unwrap();
        assert!(told.contains("WRONG  One           two rows instead of three"), "{told}");
        assert!(told.contains("ok     Two           fine"), "{told}");
    }
}
