//! The one module of this crate with `unsafe`: pages of their own for secrets, and a heap that overwrites
//! what it is given back. No crate does the first without `unsafe` of ours.
//!
//! Used by `secret`, `keys` and the vault for what outlives a calculation, and by `main` for the heap. What
//! must stay true: a page of secrets is locked where the limits allow it and counted where they do not, excluded from dumps, empty in a
//! child process, and overwritten before it is given back; a freed block is overwritten whatever it held,
//! so that buffers inside libraries are covered too.
#![allow(unsafe_code, reason = "mmap, mlock, madvise and a heap of our own have no safe form")]

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mlock, mmap_anonymous, munmap};
use std::alloc::{GlobalAlloc, Layout, System, handle_alloc_error};
use std::hint::black_box;
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};
use zeroize::Zeroize as _;

/// Smaller pages than this exist nowhere; the kernel rounds up.
const PAGE_BYTES: usize = 4_096;

/// How many secrets of this process were not locked.
static UNLOCKED: AtomicUsize = AtomicUsize::new(0);

/// How many secrets of this process the limits have not allowed to keep out of swap.
pub fn unlocked() -> usize {
    UNLOCKED.load(Ordering::Relaxed)
}

/// May a page be locked at all? Tried on one without a secret.
pub fn is_lockable() -> bool {
    let locked = Secret::new([0_u8; 32]).locked;
    if !locked {
        UNLOCKED.fetch_sub(1, Ordering::Relaxed);
    }
    locked
}

/// A value on memory pages of its own, for secrets. Moving it moves a pointer and leaves no copy behind.
/// No `Debug`, no `Clone`.
pub struct Secret<T> {
    place: NonNull<T>,
    bytes: usize,
    locked: bool,
}

// SAFETY: it owns its value alone, as a `Box` does.
unsafe impl<T: Send> Send for Secret<T> {}
// SAFETY: a shared reference to it gives shared references to the value only.
unsafe impl<T: Sync> Sync for Secret<T> {}

impl<T> Secret<T> {
    /// Moves `value` to pages of its own. Where it was before is on the stack, which `forget` overwrites.
    /// A system without memory ends the process, as for any other allocation.
    pub fn new(value: T) -> Self {
        const { assert!(align_of::<T>() <= PAGE_BYTES) };
        let bytes = size_of::<T>().next_multiple_of(PAGE_BYTES).max(PAGE_BYTES);
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a fresh private mapping at a place of the kernel's choice touches no other memory.
        let mapped = unsafe { mmap_anonymous(ptr::null_mut(), bytes, protection, MapFlags::PRIVATE) };
        let place = match mapped.ok().and_then(|start| NonNull::new(start.cast::<T>())) {
            Some(place) => place,
            None => handle_alloc_error(Layout::new::<T>()),
        };
        let start = place.as_ptr().cast();
        // SAFETY: all three name exactly the mapping made above; none changes what it holds.
        let locked = unsafe {
            // Older kernels know one or the other not; dumps and forks are refused by other means too.
            let _ = madvise(start, bytes, Advice::LinuxDontDump);
            let _ = madvise(start, bytes, Advice::LinuxWipeOnFork);
            mlock(start, bytes).is_ok()
        };
        if !locked {
            UNLOCKED.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the mapping is writable, large enough, aligned to a page, and holds no value yet.
        unsafe { place.as_ptr().write(value) };
        Self { place, bytes, locked }
    }

    /// Did the limits allow to keep it out of swap?
    #[cfg(test)]
    const fn is_locked(&self) -> bool {
        self.locked
    }
}

impl<T> Deref for Secret<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the place holds a value from `new` to `drop`, and `self` is borrowed for as long.
        unsafe { self.place.as_ref() }
    }
}

impl<T> DerefMut for Secret<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and `self` is borrowed exclusively.
        unsafe { self.place.as_mut() }
    }
}

impl<T> Drop for Secret<T> {
    fn drop(&mut self) {
        // SAFETY: the value is dropped once, here; then the pages are bytes of ours alone, overwritten and
        // given back, and `self` is not used again.
        unsafe {
            self.place.as_ptr().drop_in_place();
            std::slice::from_raw_parts_mut(self.place.as_ptr().cast::<u8>(), self.bytes).zeroize();
            let _ = munmap(self.place.as_ptr().cast(), self.bytes);
        }
    }
}

/// The system's heap, which overwrites every block that is given back. For the program itself: what a
/// library buffers (a line of a terminal, a text that grew) is covered without its doing anything.
#[derive(Debug)]
pub struct Overwriting;

// SAFETY: every block comes from `System` with the layout it goes back with; growing and shrinking are the
// trait's own, by way of a new block, so that the old one is overwritten too.
unsafe impl GlobalAlloc for Overwriting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to `GlobalAlloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives a block of this layout that it no longer uses. The compiler cannot leave
        // the zeros out, because for all it knows they are read in between.
        unsafe {
            block.write_bytes(0, layout.size());
            black_box(block);
            System.dealloc(block, layout);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `VmFlags` of the mapping that holds `address`.
    fn flags(address: usize) -> String {
        let text = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in text.lines() {
            let range = line.split(' ').next().and_then(|word| word.split_once('-'));
            let bounds = range.and_then(|(from, to)| {
                Some(usize::from_str_radix(from, 16).ok()?..usize::from_str_radix(to, 16).ok()?)
            });
            match (bounds, line.strip_prefix("VmFlags: ")) {
                (Some(bounds), _) => inside = bounds.contains(&address),
                (None, Some(flags)) if inside => return flags.to_owned(),
                (None, _) => {}
            }
        }
        String::new()
    }

    #[test]
    fn a_secret_lies_on_pages_that_are_locked_not_dumped_and_empty_in_a_child() {
        let secret = Secret::new([0x5a_u8; 5_000]);
        assert_eq!(secret[4_999], 0x5a);
        let flags = flags(secret.as_ptr() as usize);
        let has = |flag| flags.split(' ').any(|word| word == flag);
        assert!(has("dd") && has("wf"), "{flags}");
        assert_eq!(has("lo"), secret.is_locked());
    }

    #[test]
    fn the_value_is_dropped_once_and_can_be_changed() {
        let counted = std::sync::Arc::new(());
        let mut secret = Secret::new(vec![counted.clone()]);
        secret.push(counted.clone());
        drop(secret);
        assert_eq!(std::sync::Arc::strong_count(&counted), 1);
    }
}
