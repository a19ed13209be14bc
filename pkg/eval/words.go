package eval

import (
	"unicode"
	"unicode/utf8"
)

// wordStarts counts the words of text that begin at byte from or later. A word
// begins at a character that is no white space and follows white space or the
// beginning of the text. Bytes that are not UTF-8 count as characters of a word.
func wordStarts(text []byte, from int) int {
	n, space := 0, true
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		now := unicode.IsSpace(r)
		if space && !now && i >= from {
			n++
		}
		space = now
		i += size
	}
	return n
}
