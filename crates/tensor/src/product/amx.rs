//! bf16 on processors with registers for whole tiles of it: AMX.

use std::arch::asm;
use std::sync::OnceLock;

use pulp::Arch;
use raw_cpuid::CpuId;

use super::arithmetic::Arithmetic;
use super::dot::Dot;
use super::pairs::{SIDE, TILE};
use super::tile_registers::{BLOCK, BlockSums, TileRegisters};

/// Products of tiles by one instruction. Like those of [`Dot`], which makes the pairs, it takes subnormal
/// factors and sums for 0.
#[derive(Clone, Copy)]
pub(super) struct Amx(Dot);

impl Amx {
    /// If the instruction set is chosen that it belongs to, the processor has it, and the system lets this
    /// process use it.
    pub(super) fn under(arch: Arch) -> Option<Self> {
        static ALLOWED: OnceLock<bool> = OnceLock::new();
        let dot = Dot::under(arch)?;
        ALLOWED.get_or_init(|| is_there() && request()).then_some(Self(dot))
    }
}

/// Whether the processor has tiles, and products of bf16 in them.
fn is_there() -> bool {
    let features = CpuId::new().get_extended_feature_info();
    features.is_some_and(|features| features.has_amx_tile() && features.has_amx_bf16())
}

/// Asks Linux for the registers, which it keeps for processes that did; whether they may be used. (It
/// refuses if a thread's stack for signals is too small to keep them.)
fn request() -> bool {
    const ARCH_PRCTL: isize = 158;
    const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
    const TILE_DATA: usize = 18;
    if cfg!(not(all(target_os = "linux", target_pointer_width = "64"))) {
        return false;
    }
    let answer: isize;
    // SAFETY: the call changes nothing but what the process may use, and how large stacks for signals must be
    // from now on; of the registers, the kernel overwrites those that are named.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => answer,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") TILE_DATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    answer == 0
}

/// What the registers are set up as, in the order of the processor's manual.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Configuration {
    /// Eight whole tiles, all there are.
    const WHOLE: Self = {
        let (mut row_bytes, mut rows) = ([0; 16], [0; 16]);
        let mut tile = 0;
        while tile < 8 {
            row_bytes[tile] = 64;
            rows[tile] = SIDE as u8;
            tile += 1;
        }
        Self { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows }
    };
}

impl TileRegisters for Amx {
    type Packing = Dot;

    #[inline(always)]
    fn packing(self) -> Dot {
        self.0
    }

    #[inline(always)]
    fn set_up(self, f: impl FnOnce()) {
        self.0.vectorize(
            #[inline(always)]
            || {
                // SAFETY: whoever has an `Amx` may use the registers, which no caller counts on.
                unsafe { asm!("ldtilecfg [{}]", in(reg) &Configuration::WHOLE, options(nostack, readonly)) };
                f();
                // SAFETY: as above.
                unsafe { asm!("tilerelease", options(nostack, nomem)) };
            },
        );
    }

    #[inline(always)]
    unsafe fn multiply(
        self,
        a: *const u32,
        a_next: *const u32,
        b: *const u32,
        steps: usize,
        sums: &mut BlockSums,
    ) {
        // SAFETY: what is read is there by the caller's promise, written are the sums; the registers are set
        // up, and the compiler uses none of them.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{a} + {a_row}*1]",
                "tileloadd tmm5, [{b} + {b_row}*1]",
                "tileloadd tmm6, [{b} + {b_row}*1 + 64]",
                "tdpbf16ps tmm0, tmm4, tmm5",
                "tileloadd tmm7, [{a_next} + {a_row}*1]",
                "tdpbf16ps tmm1, tmm4, tmm6",
                "tdpbf16ps tmm2, tmm7, tmm5",
                "tdpbf16ps tmm3, tmm7, tmm6",
                "add {a}, {tile}",
                "add {a_next}, {tile}",
                "add {b}, {rows}",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{sums} + {b_row}*1], tmm0",
                "tilestored [{sums} + {b_row}*1 + 64], tmm1",
                "tilestored [{sums} + {b_row}*1 + {rows}], tmm2",
                "tilestored [{sums} + {b_row}*1 + {rows} + 64], tmm3",
                a = inout(reg) a => _,
                a_next = inout(reg) a_next => _,
                a_row = in(reg) 4 * SIDE,
                b = inout(reg) b => _,
                b_row = in(reg) 4 * BLOCK,
                steps = inout(reg) steps => _,
                sums = in(reg) sums.0.as_mut_ptr(),
                tile = const 4 * TILE,
                rows = const 4 * SIDE * BLOCK,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}
