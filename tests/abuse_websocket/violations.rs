//! What no client may send, and the code it is closed with.

use super::common::ws::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame, header, masked};

pub const FIN: u8 = 0x80;
/// The bit that marks a compressed message, RFC 7692.
const RSV1: u8 = 0x40;
/// `Hello`, compressed: RFC 7692 section 7.2.3.1.
const DEFLATED: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

/// One violation.
pub struct Violation {
    pub what: String,
    pub bytes: Vec<u8>,
    pub codes: &'static [u16],
}

/// All of them; a message may have 32 KiB.
pub fn all() -> Vec<Violation> {
    let mut all = Vec::new();
    let mut add = |what: &str, bytes: Vec<u8>, codes: &'static [u16]| {
        all.push(Violation { what: what.to_owned(), bytes, codes });
    };
    reserved(&mut add);
    shapes(&mut add);
    texts(&mut add);
    closes(&mut add);
    sizes(&mut add);
    all
}

type Add<'a> = dyn FnMut(&str, Vec<u8>, &'static [u16]) + 'a;

/// W3 and W8: bits and opcodes that mean nothing here.
fn reserved(add: &mut Add<'_>) {
    for bits in 1..8_u8 {
        for opcode in [TEXT, BINARY, PING, CLOSE] {
            let bytes = masked(FIN | (bits << 4) | opcode, b"");
            add(&format!("RSV {bits:03b} with opcode {opcode}"), bytes, &[1002]);
        }
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        add(&format!("opcode {opcode}"), masked(FIN | opcode, b"a"), &[1002]);
        let within = [masked(TEXT, b"a"), masked(FIN | opcode, b"a")].concat();
        add(&format!("opcode {opcode} within a message"), within, &[1002]);
    }
    add("a compressed message", masked(FIN | RSV1 | TEXT, DEFLATED), &[1002]);
    add("a compressed message that is cut", masked(FIN | RSV1 | TEXT, &DEFLATED[..3]), &[1002]);
    let fragments = [masked(RSV1 | TEXT, &DEFLATED[..3]), masked(FIN, &DEFLATED[3..])].concat();
    add("a compressed message in fragments", fragments, &[1002]);
    let late = [masked(TEXT, b"a"), masked(FIN | RSV1 | CONTINUATION, DEFLATED)].concat();
    add("a compressed continuation", late, &[1002]);
    // 32 KiB that would be 32 MiB.
    let bomb = [&[0xec, 0xc0][..], &[0_u8].repeat(32_000)].concat();
    add("a compressed bomb", masked(FIN | RSV1 | BINARY, &bomb), &[1002]);
}

/// W3: frames in a shape or a place that they may not have.
fn shapes(add: &mut Add<'_>) {
    for opcode in [TEXT, BINARY, PING, PONG, CLOSE, CONTINUATION] {
        let unmasked = [header(FIN | opcode, 2, false), b"hi".to_vec()].concat();
        add(&format!("opcode {opcode} without a mask"), unmasked, &[1002]);
    }
    for opcode in [PING, PONG, CLOSE] {
        add(&format!("control {opcode} of 126 bytes"), frame(opcode, &[b'a'; 126]), &[1002]);
        add(&format!("control {opcode} of 70,000"), header(FIN | opcode, 70_000, true), &[1002]);
        add(&format!("control {opcode} in fragments"), masked(opcode, b"a"), &[1002]);
    }
    let stray = [frame(TEXT, b"{\"value\":\"whole\"}"), masked(FIN | CONTINUATION, b"a")].concat();
    add("a continuation behind a whole message", stray, &[1002]);
    add("a continuation first", masked(CONTINUATION, b"a"), &[1002]);
    for (first, second) in [(TEXT, BINARY), (BINARY, TEXT), (BINARY, BINARY)] {
        let bytes = [masked(first, b"a"), masked(FIN | second, b"a")].concat();
        add(&format!("opcode {second} within {first}"), bytes, &[1002]);
    }
}

/// W4: texts that are not UTF-8.
fn texts(add: &mut Add<'_>) {
    for (what, bad) in [
        ("a byte that never is", &b"\xff"[..]),
        ("a continuation alone", b"\x80"),
        ("a beginning alone", b"\xc3\x28"),
        ("overlong in two", b"\xc0\xaf"),
        ("overlong in three", b"\xe0\x80\xaf"),
        ("overlong in four", b"\xf0\x80\x80\xaf"),
        ("the first surrogate", b"\xed\xa0\x80"),
        ("the last surrogate", b"\xed\xbf\xbf"),
        ("a pair of surrogates", b"\xed\xa0\x81\xed\xb0\x80"),
        ("above U+10FFFF", b"\xf4\x90\x80\x80"),
        ("five bytes", b"\xf8\x88\x80\x80\x80"),
    ] {
        let text = [&b"{\"value\":\""[..], bad, b"\"}"].concat();
        add(what, frame(TEXT, &text), &[1007]);
        // Cut within what is bad, and not ended: it is known to be bad before the message is whole.
        let cut = b"{\"value\":\"".len() + 1;
        let begun = [masked(TEXT, &text[..cut]), masked(CONTINUATION, &text[cut..])].concat();
        add(&format!("{what}, in fragments"), begun, &[1007]);
    }
    for cut in [&b"\xe2\x82"[..], b"\xf0\x9f\x98", b"\xc3"] {
        add("cut at the end", frame(TEXT, cut), &[1007]);
        let fragments = [masked(TEXT, cut), masked(FIN | CONTINUATION, b"")].concat();
        add("cut at the end, in fragments", fragments, &[1007]);
    }
}

/// W5: closes that are none.
fn closes(add: &mut Add<'_>) {
    for code in [0_u16, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        add(&format!("close {code}"), frame(CLOSE, &code.to_be_bytes()), &[1002]);
    }
    add("a close of one byte", frame(CLOSE, &[3]), &[1002]);
    add("a close with a bad reason", frame(CLOSE, b"\x03\xe8\xff"), &[1007]);
    let cut = [&b"\x03\xe8"[..], &[b'a'; 121], b"\xc3"].concat();
    add("a close whose reason is cut", frame(CLOSE, &cut), &[1007]);
}

/// W6: more than a message may have.
fn sizes(add: &mut Add<'_>) {
    for length in [32_769, 1 << 30, 1 << 32, 1 << 62, 1 << 63, u64::MAX] {
        add(&format!("{length} announced"), header(FIN | TEXT, length, true), &[1002, 1009]);
        let later = [masked(TEXT, b"a"), header(CONTINUATION, length, true)].concat();
        add(&format!("{length} announced in a fragment"), later, &[1002, 1009]);
    }
    let half = b"a".repeat(20_000);
    let together = [masked(BINARY, &half), masked(CONTINUATION, &half)].concat();
    add("too much together", together, &[1009]);
    let small = [masked(TEXT, b""), masked(CONTINUATION, b"a").repeat(32_769)].concat();
    add("too much, byte by byte", small, &[1009]);
    let empty = [masked(TEXT, b""), masked(CONTINUATION, b"").repeat(2000)].concat();
    add("fragments that bring nothing", empty, &[1002]);
}
