//! A wire that a test holds one end of.

use std::time::{Duration, Instant};

/// Somewhere to send Ethernet frames into and to receive them from.
pub trait Wire {
    /// Sends a frame.
    fn send(&self, frame: &[u8]);

    /// The next frame that somebody else has sent, if there is one within this time.
    fn receive(&self, limit: Duration) -> Option<Vec<u8>>;

    /// Looks at frames until one gives an answer or `limit` passes.
    fn until<T>(&self, limit: Duration, mut look: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
        let end = Instant::now() + limit;
        loop {
            let frame = self.receive(end.saturating_duration_since(Instant::now()))?;
            if let Some(answer) = look(&frame) {
                return Some(answer);
            }
        }
    }

    /// All frames of this time.
    fn during(&self, time: Duration) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let _ = self.until::<()>(time, |frame| {
            frames.push(frame.to_vec());
            None
        });
        frames
    }
}
