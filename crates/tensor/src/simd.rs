//! Run-time choice of the instruction set.

use std::ffi::OsStr;
use std::sync::OnceLock;

use pulp::{Arch, Simd, WithSimd};

use crate::TensorError;

/// The vectors to use, looked up once: those that [`asked`] finds, or the widest if it knows no such.
#[inline]
pub(crate) fn arch() -> Arch {
    match found() {
        Ok(arch) => *arch,
        Err(_) => Arch::new(),
    }
}

#[inline]
fn found() -> &'static Result<Arch, TensorError> {
    static FOUND: OnceLock<Result<Arch, TensorError>> = OnceLock::new();
    FOUND.get_or_init(|| asked(&std::env::var_os("CHAINRULE_SIMD").unwrap_or_default()))
}

/// What the environment variable `CHAINRULE_SIMD` asks for, to test and measure less than there is:
/// `avx2` (without it, portable) or `portable`; empty, the widest.
fn asked(name: &OsStr) -> Result<Arch, TensorError> {
    match name.to_str() {
        Some("") => Ok(Arch::new()),
        Some("portable") => Ok(Arch::Scalar),
        #[cfg(target_arch = "x86_64")]
        Some("avx2") => Ok(pulp::x86::V3::try_new().map_or(Arch::Scalar, Arch::V3)),
        #[cfg(not(target_arch = "x86_64"))]
        Some("avx2") => Ok(Arch::Scalar),
        _ => Err(TensorError::InstructionSet { found: name.to_string_lossy().into_owned() }),
    }
}

/// Whose vectors products and elementwise loops use in this process: `"AVX-512"`, `"AVX2"`, `"NEON"`,
/// or `"portable"` for what the build's target has by itself. [`vectorised`] says what decides it.
///
/// # Errors
/// [`TensorError::InstructionSet`] if the environment variable `CHAINRULE_SIMD` asks for one that is
/// not known; the widest there is computes then.
///
/// ```
/// let found = chainrule_tensor::instruction_set()?;
/// assert!(["AVX-512", "AVX2", "NEON", "portable"].contains(&found));
/// # Ok::<(), chainrule_tensor::TensorError>(())
/// ```
pub fn instruction_set() -> Result<&'static str, TensorError> {
    Ok(match found().clone()? {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(_) => "AVX-512",
        #[cfg(target_arch = "x86_64")]
        Arch::V3(_) => "AVX2",
        #[cfg(target_arch = "aarch64")]
        Arch::Neon(_) => "NEON",
        _ => "portable",
    })
}

/// Runs `f` compiled for the widest vectors this processor has.
///
/// Loops over slices inside `f` that the compiler can vectorise then use AVX-512 or AVX2 where
/// they are found at run time, whatever the build's target; elsewhere they use the target's own
/// (SSE2, NEON). The environment variable `CHAINRULE_SIMD`, read when the process first computes,
/// asks for less than there is: `avx2` or `portable` ([`instruction_set`] tells whether it was
/// understood). Arithmetic is not contracted into fused operations, so an elementwise loop gives the
/// same bits under each of them; a [`kernels::Formula`](crate::kernels::Formula) asks for them.
///
/// What `f` does must be inlined into it, or it runs as compiled for the build's target: write
/// `#[inline(always)]` before the closure and those it calls, and plain `for` loops, since the
/// likes of `for_each` are inlined only while they are small.
///
/// ```
/// let mut x = [1.0_f32, 2.0, 3.0];
/// chainrule_tensor::vectorised(
///     #[inline(always)]
///     || {
///         for x in &mut x {
///             *x *= 2.0;
///         }
///     },
/// );
/// assert_eq!(x, [2.0, 4.0, 6.0]);
/// ```
#[inline]
pub fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    with_vectors(
        #[inline(always)]
        |_| f(),
    )
}

/// Whether a multiplication and an addition are one operation on these vectors: of those that pulp is built with
/// here, AVX2's (with FMA), AVX-512's and NEON's.
#[inline(always)]
pub(crate) fn is_fused<V: Simd>() -> bool {
    V::F32_LANES > 1
}

/// As [`vectorised`], for an `f` that is told whether a multiplication and an addition are one operation
/// there (`mul_add` of a number; elsewhere it is the call of a function). The compiler knows which.
#[inline]
pub(crate) fn with_vectors<R>(f: impl FnOnce(bool) -> R) -> R {
    struct Run<F>(F);
    impl<R, F: FnOnce(bool) -> R> WithSimd for Run<F> {
        type Output = R;

        #[inline(always)]
        fn with_simd<V: Simd>(self, _: V) -> R {
            (self.0)(is_fused::<V>())
        }
    }
    arch().dispatch(Run(f))
}

#[cfg(all(test, target_arch = "x86_64", not(miri)))]
mod tests {
    use super::*;

    /// A build without the features of pulp that it takes would be right, and slow.
    #[test]
    fn the_processors_vectors_are_used() {
        let there = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let asked = std::env::var("CHAINRULE_SIMD").unwrap_or_default();
        assert_eq!(matches!(arch(), Arch::Scalar), asked == "portable" || !there);
        if asked == "avx2" && there {
            assert!(matches!(arch(), Arch::V3(_)));
        }
        assert_eq!(instruction_set() == Ok("portable"), matches!(arch(), Arch::Scalar));
    }

    #[test]
    fn what_is_asked_for_must_be_known() {
        for name in ["avx", "AVX2", " avx2", "sse2"] {
            let error = asked(name.as_ref()).unwrap_err();
            assert_eq!(error, TensorError::InstructionSet { found: name.to_owned() });
        }
        assert!(asked("".as_ref()).is_ok() && asked("avx2".as_ref()).is_ok());
        assert!(matches!(asked("portable".as_ref()), Ok(Arch::Scalar)));
    }
}
