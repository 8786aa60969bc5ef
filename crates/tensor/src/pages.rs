//! Memory in huge pages, on Linux.
//!
//! A processor holds the addresses of some pages at hand and looks up those of all others in memory, again and
//! again where a product goes down the rows of a large matrix: each row is on a page of its own.

use std::collections::TryReserveError;

/// Bytes of a huge page, on most systems.
const HUGE: usize = 2 << 20;

/// A vector with room for `len` elements; for as much as a huge page holds, such pages are asked for.
pub(crate) fn with_capacity<T>(len: usize) -> Result<Vec<T>, TryReserveError> {
    let mut vec = Vec::<T>::new();
    vec.try_reserve_exact(len)?;
    let bytes = vec.capacity() * size_of::<T>();
    if bytes >= HUGE {
        advise(vec.as_ptr().cast(), bytes);
    }
    Ok(vec)
}

/// Asks for huge pages under so many bytes, which are not yet used. It is no more than advice, which the system may
/// not follow. (Miri does not know the call.)
#[cfg(all(target_os = "linux", not(miri)))]
fn advise(start: *const u8, bytes: usize) {
    /// Advice begins at a page; where these are larger, it may be refused.
    const PAGE: usize = 4096;
    let before = start.addr() % PAGE;
    // SAFETY: this advice changes no contents, whatever memory it is about.
    unsafe {
        libc::madvise(
            start.wrapping_sub(before).cast_mut().cast(),
            bytes + before,
            libc::MADV_HUGEPAGE,
        );
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn advise(_: *const u8, _: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_any_number() {
        let sizes = [0, 100, HUGE - 100, HUGE, 5 * HUGE + 4];
        // Miri takes minutes for the larger ones, and advises nothing.
        for bytes in &sizes[..if cfg!(miri) { 2 } else { 5 }] {
            let len = bytes / size_of::<u32>();
            let mut numbers = with_capacity(len).unwrap();
            let room = numbers.as_ptr();
            numbers.resize(len, 4_u32);
            assert!(numbers.as_ptr() == room && numbers.iter().all(|&x| x == 4));
        }
    }

    /// As the system tells for each piece of memory: `hg`, huge pages are asked for.
    #[test]
    #[cfg(all(target_os = "linux", not(miri)))]
    fn huge_pages_are_asked_for() {
        // SAFETY: the call only tells of the system.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let has_huge = std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists();
        let maps = || std::fs::read_to_string("/proc/self/smaps");
        if page != 4096 || !has_huge || maps().is_err() {
            return println!("skipped: this system has other pages, or does not tell of them");
        }
        let vec = with_capacity::<u8>(4 * HUGE).unwrap();
        let inside = vec.as_ptr().addr() + HUGE;
        let holds = |line: &str| {
            let (start, end) = line.split_once(' ')?.0.split_once('-')?;
            let [start, end] = [start, end].map(|at| usize::from_str_radix(at, 16));
            Some((start.ok()?..end.ok()?).contains(&inside))
        };
        let maps = maps().unwrap();
        let mut lines = maps.lines().skip_while(|line| holds(line) != Some(true));
        let flags = lines.find(|line| line.starts_with("VmFlags:")).expect("flags");
        assert!(flags.split(' ').any(|flag| flag == "hg"), "{flags}");
    }

    #[test]
    fn more_than_there_is_is_refused() {
        // The larger no allocator is asked for; Miri's would stop the test.
        let sizes = [usize::MAX, isize::MAX as usize / 8];
        for &len in &sizes[..if cfg!(miri) { 1 } else { 2 }] {
            assert!(with_capacity::<u64>(len).is_err());
        }
    }
}
