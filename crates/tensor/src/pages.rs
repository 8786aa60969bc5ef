//! Memory in huge pages, where the system has them.
//!
//! A processor holds the addresses of some pages at hand and looks up those of all others in memory, again and
//! again where a product goes down the rows of a large matrix: each row is on a page of its own.

use std::collections::TryReserveError;

/// Bytes of a huge page, on most systems.
const HUGE: usize = 2 << 20;

/// Reserves room for `len` more elements, in huge pages if they would fill one.
pub(crate) fn reserve<T>(vec: &mut Vec<T>, len: usize) -> Result<(), TryReserveError> {
    vec.try_reserve_exact(len)?;
    let bytes = vec.capacity() * size_of::<T>();
    if bytes >= HUGE {
        advise(vec.as_ptr().cast(), bytes);
    }
    Ok(())
}

/// Asks for huge pages under so many bytes, before they are first used. It is no more than advice, which the system
/// may not follow. (Miri does not know the call.)
#[cfg(all(target_os = "linux", not(miri)))]
fn advise(start: *const u8, bytes: usize) {
    /// Advice begins at a page; where these are larger, it is refused.
    const PAGE: usize = 4096;
    let before = start.addr() % PAGE;
    // SAFETY: the memory is that of an allocation and of what else stands on its first and last pages. Whatever size
    // pages have, their contents are the same.
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
    fn there_is_room_for_any_number_and_what_stands_there_stays() {
        let sizes = [0, 100, HUGE - 100, HUGE, 5 * HUGE + 4];
        // Miri takes long for the larger ones.
        for bytes in &sizes[..if cfg!(miri) { 3 } else { 5 }] {
            let len = bytes / size_of::<u32>();
            let mut numbers = vec![1, 2, 3];
            reserve(&mut numbers, len).unwrap();
            assert!(numbers.capacity() >= 3 + len && numbers == [1, 2, 3]);
            let room = numbers.as_ptr();
            numbers.resize(3 + len, 4);
            assert!(numbers.as_ptr() == room && numbers[3..].iter().all(|&x| x == 4));
        }
    }

    /// As the system tells for each piece of memory: `hg`, huge pages are asked for.
    #[test]
    #[cfg(all(target_os = "linux", not(miri)))]
    fn huge_pages_are_asked_for() {
        let told = ["/sys/kernel/mm/transparent_hugepage", "/proc/self/smaps"];
        if !told.iter().all(|path| std::path::Path::new(path).exists()) {
            return println!("skipped: this system has no huge pages, or does not tell of them");
        }
        let mut vec = Vec::<u8>::new();
        reserve(&mut vec, 4 * HUGE).unwrap();
        let inside = vec.as_ptr().addr() + HUGE;
        let holds = |line: &str| {
            let (start, end) = line.split_once(' ')?.0.split_once('-')?;
            let [start, end] = [start, end].map(|at| usize::from_str_radix(at, 16));
            Some((start.ok()?..end.ok()?).contains(&inside))
        };
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut lines = maps.lines().skip_while(|line| holds(line) != Some(true));
        let flags = lines.find(|line| line.starts_with("VmFlags:")).expect("flags");
        assert!(flags.split(' ').any(|flag| flag == "hg"), "{flags}");
    }

    #[test]
    fn more_than_there_is_is_refused() {
        for len in [usize::MAX, usize::MAX / 8] {
            assert!(reserve(&mut Vec::<u64>::new(), len).is_err());
        }
    }
}
