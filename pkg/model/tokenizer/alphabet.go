package tokenizer

import "unicode/utf8"

// byteOf inverts the printable alphabet of byte-level vocabularies: bytes 33–126,
// 161–172 and 174–255 stand for themselves as code points, the other 68 are
// U+0100, U+0101 … in ascending order.
var byteOf = func() map[rune]byte {
	m := make(map[rune]byte, 256)
	free := rune(0x100)
	for b := range 256 {
		r := rune(b)
		if b < 33 || b > 126 && b < 161 || b == 173 {
			r = free
			free++
		}
		m[r] = byte(b)
	}
	return m
}()

// fromAlphabet maps a token as written in a vocabulary to its bytes. A token with a
// character outside the alphabet (an added one, say with a blank) is taken literally.
func fromAlphabet(s string) string {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		b, ok := byteOf[r]
		if !ok || r == utf8.RuneError {
			return s
		}
		out = append(out, b)
	}
	return string(out)
}
