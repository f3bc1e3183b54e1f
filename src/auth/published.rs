//! What an issuer publishes, kept here: what it says of itself, and its keys.
//!
//! - One reading at a time, on a task of its own, begun at most so often: whoever wants it waits for the reading that is under
//!   way, and nobody who hangs up takes it along.
//! - What was asked for lately is given at once, and read again beside that when it is due. After a quiet time it is read
//!   first: a key that was withdrawn meanwhile opens nothing for the first caller either.
//! - What was read before serves on only while the issuer cannot be asked, and not for ever.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::domain::time::Time;

/// How long what was read is used, in microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Between the beginnings of two readings, at least.
    pub pause: i64,
    /// From this age on it is read again beside being used.
    pub due: i64,
    /// When the issuer was last asked longer ago than this, it is asked before anything is used.
    pub quiet: i64,
    /// From this age on it is not used any more, however long the issuer is away.
    pub most: i64,
}

/// Why something is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// The issuer does not publish it.
    Unknown,
    /// The issuer could not be asked: why, for the log and for who sets things up.
    Unavailable(String),
}

struct State<T> {
    known: Option<(Arc<T>, Time)>,
    /// When the last reading began.
    began: Option<Time>,
    /// When it was wanted that ended last, and what went wrong, if something did.
    asked: Option<(Time, Result<(), String>)>,
    /// Closed by the end of the reading under way.
    reading: Option<watch::Receiver<()>>,
}

/// Something that is published, as it was last read.
pub struct Published<T> {
    terms: Terms,
    state: Arc<Mutex<State<T>>>,
}

fn age(now: Time, then: Time) -> i64 {
    // A clock that was set back makes things old, not new.
    (now.micros() - then.micros()).abs()
}

impl<T> State<T> {
    fn usable(&self, now: Time, terms: &Terms) -> Option<&Arc<T>> {
        self.known.as_ref().filter(|(_, at)| age(now, *at) < terms.most).map(|(known, _)| known)
    }

    fn is_quiet(&self, now: Time, terms: &Terms) -> bool {
        self.asked.as_ref().is_none_or(|(at, _)| age(now, *at) > terms.quiet)
    }

    fn is_due(&self, now: Time, terms: &Terms) -> bool {
        self.known.as_ref().is_none_or(|(_, at)| age(now, *at) > terms.due)
    }
}

impl<T: Send + Sync + 'static> Published<T> {
    /// Nothing was read yet.
    pub fn new(terms: Terms) -> Self {
        Self { terms, state: Arc::new(Mutex::new(State { known: None, began: None, asked: None, reading: None })) }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for something in it, and reads it before or beside that, where the terms want it.
    ///
    /// # Errors
    /// [`Missing`] says why it is not there.
    pub async fn find<R, F, W>(&self, now: Time, look: impl Fn(&Arc<T>) -> Option<R>, read: F) -> Result<R, Missing>
    where
        F: FnOnce() -> W + Send + 'static,
        W: Future<Output = Result<T, String>> + Send + 'static,
    {
        let reading = {
            let mut state = self.state();
            let quiet = state.is_quiet(now, &self.terms);
            if let Some(found) = state.usable(now, &self.terms).filter(|_| !quiet).and_then(&look) {
                if state.is_due(now, &self.terms) {
                    self.begin(&mut state, now, read);
                }
                return Ok(found);
            }
            self.begin(&mut state, now, read)
        };
        if let Some(mut reading) = reading {
            // The error says that the reading is over.
            while reading.changed().await.is_ok() {}
        }
        let state = self.state();
        match (state.usable(now, &self.terms).and_then(look), &state.asked) {
            (Some(found), _) => Ok(found),
            (None, Some((_, Ok(())))) => Err(Missing::Unknown),
            (None, Some((_, Err(why)))) => Err(Missing::Unavailable(why.clone())),
            (None, None) => Err(Missing::Unavailable("reading it was broken off".to_owned())),
        }
    }

    /// All of it.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub async fn whole<F, W>(&self, now: Time, read: F) -> Result<Arc<T>, String>
    where
        F: FnOnce() -> W + Send + 'static,
        W: Future<Output = Result<T, String>> + Send + 'static,
    {
        self.find(now, |known| Some(Arc::clone(known)), read).await.map_err(|missing| match missing {
            Missing::Unavailable(why) => why,
            Missing::Unknown => "it is too old".to_owned(),
        })
    }

    /// The reading under way, or a new one when it is time for one.
    fn begin<F, W>(&self, state: &mut State<T>, now: Time, read: F) -> Option<watch::Receiver<()>>
    where
        F: FnOnce() -> W + Send + 'static,
        W: Future<Output = Result<T, String>> + Send + 'static,
    {
        if let Some(under_way) = state.reading.as_ref().filter(|r| r.has_changed().is_ok()) {
            return Some(under_way.clone());
        }
        if state.began.is_some_and(|at| age(now, at) < self.terms.pause) {
            return None;
        }
        let (open, reading) = watch::channel(());
        state.began = Some(now);
        state.reading = Some(reading.clone());
        let kept = Arc::clone(&self.state);
        tokio::spawn(async move {
            let answer = read().await;
            let mut state = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let (Err(why), Some(_)) = (&answer, &state.known) {
                tracing::warn!(%why, "what an issuer publishes could not be read; what is known goes on for a while");
            }
            state.asked = Some((now, answer.as_ref().map(|_| ()).map_err(Clone::clone)));
            if let Ok(read) = answer {
                state.known = Some((Arc::new(read), now));
            }
            state.reading = None;
            drop(open);
        });
        Some(reading)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::ready, time::Duration};

    use tokio::sync::oneshot;

    use super::{Arc, Missing, Published, Terms, Time};

    const TERMS: Terms = Terms { pause: 60_000_000, due: 300_000_000, quiet: 600_000_000, most: 43_200_000_000 };
    /// When a list is read that nobody expects to be read.
    const NOT_READ: fn() -> std::future::Ready<Result<Vec<u8>, String>> = || ready(Err("it was read".to_owned()));

    fn at(seconds: i64) -> Time {
        Time::from_micros((1_700_000_000 + seconds) * 1_000_000)
    }

    fn has(wanted: u8) -> impl Fn(&Arc<Vec<u8>>) -> Option<u8> {
        move |list| list.iter().copied().find(|n| *n == wanted)
    }

    async fn with(list: &'static [u8]) -> Published<Vec<u8>> {
        let published = Published::new(TERMS);
        assert_eq!(published.find(at(0), has(1), move || ready(Ok(list.to_vec()))).await, Ok(1));
        published
    }

    fn away() -> std::future::Ready<Result<Vec<u8>, String>> {
        ready(Err("away".to_owned()))
    }

    #[tokio::test]
    async fn what_was_withdrawn_in_a_quiet_time_serves_nobody() {
        let published = with(&[1]).await;
        assert_eq!(published.find(at(6 * 3600), has(1), || ready(Ok(vec![2]))).await, Err(Missing::Unknown));
    }

    #[tokio::test]
    async fn what_is_a_little_old_is_given_at_once_and_read_beside() {
        let published = with(&[1]).await;
        assert_eq!(published.find(at(299), has(1), NOT_READ).await, Ok(1));
        let (go, wait) = oneshot::channel::<()>();
        let read = move || async move {
            wait.await.unwrap();
            Ok(vec![2])
        };
        assert_eq!(published.find(at(400), has(1), read).await, Ok(1));
        go.send(()).unwrap();
        while published.find(at(401), has(1), NOT_READ).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(published.find(at(401), has(2), NOT_READ).await, Ok(2));
    }

    #[tokio::test]
    async fn while_the_issuer_is_away_what_is_known_goes_on_for_twelve_hours() {
        let published = with(&[1]).await;
        assert_eq!(published.find(at(6 * 3600), has(1), away).await, Ok(1));
        // It was asked just now: nobody waits again, though it is asked beside that.
        let (_go, wait) = oneshot::channel::<()>();
        let hangs = move || async move {
            let _ = wait.await;
            away().await
        };
        let at_once = published.find(at(6 * 3600 + 70), has(1), hangs);
        assert_eq!(tokio::time::timeout(Duration::from_secs(5), at_once).await.unwrap(), Ok(1));
        let published = with(&[1]).await;
        assert_eq!(published.find(at(12 * 3600), has(1), away).await, Err(Missing::Unavailable("away".to_owned())));
    }

    #[tokio::test]
    async fn whoever_hangs_up_does_not_take_the_reading_along() {
        let published = Arc::new(with(&[1]).await);
        let (go, wait) = oneshot::channel::<()>();
        let hanging = {
            let published = Arc::clone(&published);
            tokio::spawn(async move {
                let read = move || async move {
                    wait.await.unwrap();
                    Ok(vec![1, 2])
                };
                published.find(at(61), has(2), read).await
            })
        };
        while published.state().reading.is_none() {
            tokio::task::yield_now().await;
        }
        hanging.abort();
        assert!(hanging.await.is_err());
        // Who comes meanwhile waits for it, and so does nobody who asks for what is known.
        let waiting = {
            let published = Arc::clone(&published);
            tokio::spawn(async move { published.find(at(62), has(2), NOT_READ).await })
        };
        tokio::task::yield_now().await;
        assert_eq!(published.find(at(62), has(1), NOT_READ).await, Ok(1));
        go.send(()).unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(2));
    }

    #[tokio::test]
    async fn it_is_read_at_most_once_a_minute_whatever_is_looked_for() {
        let published = with(&[1]).await;
        for _ in 0..100 {
            assert_eq!(published.find(at(59), has(7), NOT_READ).await, Err(Missing::Unknown));
        }
        assert_eq!(published.find(at(60), has(7), || ready(Ok(vec![1, 7]))).await, Ok(7));
    }

    #[tokio::test]
    async fn an_issuer_that_cannot_be_asked_is_not_one_that_does_not_publish() {
        let published = Published::new(TERMS);
        assert_eq!(published.find(at(0), has(1), away).await, Err(Missing::Unavailable("away".to_owned())));
        assert_eq!(published.find(at(1), has(1), NOT_READ).await, Err(Missing::Unavailable("away".to_owned())));
        assert_eq!(published.find(at(60), has(1), || ready(Ok(vec![1]))).await, Ok(1));
    }

    #[tokio::test]
    async fn a_reading_that_panics_is_over() {
        let published = Published::new(TERMS);
        let panics = || async { std::panic::resume_unwind(Box::new("made up")) };
        assert!(matches!(published.find(at(0), has(1), panics).await, Err(Missing::Unavailable(_))));
        assert_eq!(published.find(at(60), has(1), || ready(Ok(vec![1]))).await, Ok(1));
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_makes_it_old() {
        let published = with(&[1]).await;
        assert_eq!(published.find(at(-3600), has(1), || ready(Ok(vec![2]))).await, Err(Missing::Unknown));
    }
}
