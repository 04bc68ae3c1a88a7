//! A request to end (`kill`, a session that closes) that comes while a screen is ours.
//!
//! Used by the screens (`Terminal`, `Stage`) and by hidden questions (`Lines`), which would otherwise be ended with the
//! terminal raw, the echo off, or secret words standing there. What must stay true: while one stands, a request is noted,
//! and it leaves as by a key; at any other time the process ends at once, as if there were no handler.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The handlers' memory. They are installed with the first screen and stay.
struct Noted {
    asked: Arc<AtomicBool>,
    no_screen: Arc<AtomicBool>,
}

static NOTED: Mutex<Option<Noted>> = Mutex::new(None);

/// While it lives, a request to end is noted instead of ending the process.
pub struct Watch {
    asked: Arc<AtomicBool>,
    no_screen: Arc<AtomicBool>,
}

impl Watch {
    /// To be called before the terminal is changed.
    pub fn begin() -> io::Result<Self> {
        let mut noted = NOTED.lock().unwrap_or_else(PoisonError::into_inner);
        let Noted { asked, no_screen } = match &mut *noted {
            Some(noted) => noted,
            none => none.insert(install()?),
        };
        asked.store(false, Ordering::SeqCst);
        no_screen.store(false, Ordering::SeqCst);
        Ok(Self { asked: Arc::clone(asked), no_screen: Arc::clone(no_screen) })
    }

    /// Has somebody asked this process to end since then?
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.no_screen.store(true, Ordering::SeqCst);
    }
}

fn install() -> io::Result<Noted> {
    let (asked, no_screen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
    for signal in [SIGTERM, SIGHUP, SIGINT] {
        flag::register_conditional_default(signal, Arc::clone(&no_screen))?;
        flag::register(signal, Arc::clone(&asked))?;
    }
    Ok(Noted { asked, no_screen })
}
