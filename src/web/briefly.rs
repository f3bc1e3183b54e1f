//! What anybody may ask for as often as they like, read at most once a second: the database is for those who are known.

use std::{future::Future, time::{Duration, Instant}};

use tokio::sync::Mutex;

/// How long an answer serves.
const SERVES: Duration = Duration::from_secs(1);

/// An answer that is kept for a moment. Who comes while it is read waits for it.
pub struct Briefly<T> {
    serves: Duration,
    kept: Mutex<Option<(Instant, T)>>,
}

impl<T> Default for Briefly<T> {
    fn default() -> Self {
        Self { serves: SERVES, kept: Mutex::new(None) }
    }
}

impl<T: Clone> Briefly<T> {
    /// The answer, read now or a moment ago.
    pub async fn get(&self, read: impl Future<Output = T>) -> T {
        let mut kept = self.kept.lock().await;
        if let Some((_, answer)) = kept.as_ref().filter(|(at, _)| at.elapsed() < self.serves) {
            return answer.clone();
        }
        let answer = read.await;
        *kept = Some((Instant::now(), answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use super::{Briefly, Mutex};

    #[tokio::test]
    async fn many_who_ask_are_one_reading_and_later_it_is_read_again() {
        let reads = Cell::new(0);
        let read = async || {
            tokio::task::yield_now().await;
            reads.set(reads.get() + 1);
            reads.get()
        };
        let long = Briefly { serves: Duration::from_secs(3600), kept: Mutex::new(None) };
        let answers = futures_util::future::join_all((0..50).map(|_| long.get(read()))).await;
        assert_eq!((answers, reads.get()), (vec![1; 50], 1));
        let never = Briefly { serves: Duration::ZERO, kept: Mutex::new(None) };
        assert_eq!((never.get(read()).await, never.get(read()).await), (2, 3));
    }
}
