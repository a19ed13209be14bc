package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
)

// Go's assembler knows VPDPBUSD in the EVEX form of AVX-512 alone. A processor
// with AVX-VNNI but no AVX-512 takes the VEX form, which is written as bytes:
//
//	C4 | ~R ~X ~B 00010 | 0 ~vvvv 1 01 | 50 | 11 reg rm
//
// VEX.256.66.0F38.W0 50 /r: reg the sum, vvvv the unsigned bytes, rm the signed
// ones (Intel SDM volume 2, VPDPBUSD; binutils and LLVM: {vex} vpdpbusd). R and
// B are the fourth bits of reg and rm; X is unused with a register as rm.

var dotLine = regexp.MustCompile(`^\tVPDPBUSD +Y(\d+), Y(\d+), Y(\d+)$`)

// vexDot replaces VPDPBUSD in the functions whose name ends in AVXVNNI.
func vexDot(text []byte) ([]byte, error) {
	lines := bytes.Split(text, []byte("\n"))
	inside := false
	for i, l := range lines {
		if bytes.HasPrefix(l, []byte("TEXT ")) {
			inside = bytes.Contains(l, []byte("AVXVNNI(SB)"))
		}
		if !inside || !bytes.Contains(l, []byte("VPDPBUSD ")) || bytes.HasPrefix(l, []byte("//")) {
			continue
		}
		m := dotLine.FindSubmatch(l)
		if m == nil {
			return nil, fmt.Errorf("%q: want three 32-byte registers", l)
		}
		var r [3]int
		for j := range r {
			r[j], _ = strconv.Atoi(string(m[j+1]))
			if r[j] > 15 {
				return nil, fmt.Errorf("%q: the VEX form has 16 registers", l)
			}
		}
		b := vexDotBytes(r[0], r[1], r[2])
		lines[i] = fmt.Appendf(nil, "\tBYTE $0x%02x; BYTE $0x%02x; BYTE $0x%02x; BYTE $0x%02x; BYTE $0x%02x // VPDPBUSD Y%d, Y%d, Y%d",
			b[0], b[1], b[2], b[3], b[4], r[0], r[1], r[2])
	}
	return bytes.Join(lines, []byte("\n")), nil
}

// vexDotBytes encodes sum += Σ unsigned·signed.
func vexDotBytes(signed, unsigned, sum int) [5]byte {
	return [5]byte{
		0xc4,
		byte(sum>>3^1)<<7 | 1<<6 | byte(signed>>3^1)<<5 | 2,
		byte(unsigned^15)<<3 | 1<<2 | 1,
		0x50,
		0xc0 | byte(sum&7)<<3 | byte(signed&7),
	}
}
