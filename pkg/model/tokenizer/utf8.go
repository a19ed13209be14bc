package tokenizer

import (
	"strings"
	"unicode/utf8"
)

const replacement = "\uFFFD"

// illFormed returns the length of the ill-formed part at the start of s, which
// begins with an invalid byte sequence: the longest prefix of a well-formed
// character, at least one byte (Unicode, "maximal subpart", the rule of Python and
// Rust; Go's own conversion counts every byte).
func illFormed(s string) int {
	n := 1
	for n < len(s) && n < 4 && prefixOfRune(s[:n+1]) {
		n++
	}
	return n
}

// prefixOfRune reports whether more bytes could complete p, 2 ≤ len(p) ≤ 4, to a character.
func prefixOfRune(p string) bool {
	if p[1]&0xc0 != 0x80 {
		return false
	}
	switch c, second := p[0], p[1]; {
	case c < 0xe0:
		return false // a lead of two bytes: the pair is valid or the second byte is no continuation
	case c == 0xe0 && second < 0xa0, c == 0xed && second > 0x9f, c == 0xf0 && second < 0x90, c == 0xf4 && second > 0x8f, c > 0xf4:
		return false
	}
	return len(p) == 2 || len(p) == 3 && p[0] >= 0xf0 && p[2]&0xc0 == 0x80
}

// toValid replaces every maximal ill-formed part by U+FFFD.
func toValid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			n = illFormed(s)
			b.WriteString(replacement)
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// incomplete returns how many bytes at the end of b are the start of a character
// that further bytes could complete.
func incomplete(b []byte) int {
	for n := 1; n <= 3 && n <= len(b); n++ {
		tail := b[len(b)-n:]
		if tail[0]&0xc0 == 0x80 {
			continue
		}
		if tail[0] >= 0xc2 && tail[0] <= 0xf4 && !utf8.FullRune(tail) {
			return n
		}
		return 0
	}
	return 0
}
