# Sourced after common.sh: how cargo is run for the module, with either kind of toolchain (see setup-wasm).
# shellcheck shell=bash
WASM_TARGET=wasm32-wasip1
DEBIAN_RUST="$CACHE/rust-debian/usr"
REALPATH_STUB="$CACHE/rust-debian/realpath.o"

# The linker that ships with the active Rust toolchain.
rust_lld() {
    echo "$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/rust-lld"
}

# debian_rust PROGRAM ARGUMENT…: runs one of Debian's Rust programs out of the cache.
debian_rust() {
    local program=$1
    shift
    LD_LIBRARY_PATH="$DEBIAN_RUST/lib/$(uname -m)-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" \
        PATH="$DEBIAN_RUST/bin:$PATH" RUSTC="$DEBIAN_RUST/bin/rustc" RUSTC_BOOTSTRAP=1 \
        "$DEBIAN_RUST/bin/$program" "$@"
}

# wasm_cargo SUBCOMMAND ARGUMENT…: cargo for the module's target, in a target folder of its own, so that
# native builds stay warm.
wasm_cargo() {
    local subcommand=$1 flags="-Ctarget-feature=+simd128"
    shift
    local arguments=(--target "$WASM_TARGET" --target-dir "$ROOT/target/wasm" "$@")
    local -x APIWARD_LINKER CARGO_TARGET_WASM32_WASIP1_LINKER="$ROOT/scripts/link-module"
    APIWARD_LINKER=$(rust_lld)
    case $APIWARD_WASM_TOOLCHAIN in
    rustup)
        CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS="$flags" cargo "$subcommand" "${arguments[@]}"
        ;;
    debian)
        CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS="$flags -Lnative=$DEBIAN_RUST/lib/wasm32-wasi -Clink-arg=$REALPATH_STUB" \
            debian_rust cargo "$subcommand" -Zbuild-std=std,panic_abort "${arguments[@]}"
        ;;
    esac
}
