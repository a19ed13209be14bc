package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// A step cuts each piece of text into smaller pieces, which are handed to the
// next step; what leaves the last step is merged on its own. The numbers are part
// of the Marshal format.
type step uint8

const (
	stepDigits    step = 1 // every \p{N} on its own
	stepDigitRuns step = 2 // every run of \p{N} on its own
	stepGPT2      step = 3
	stepLlama3    step = 4 // numbers in groups of up to three
	stepQwen2     step = 5 // numbers one by one
	stepWhole     step = 6 // nothing: the piece is one word
	lastStep           = stepWhole
)

// The patterns behind the steps, as tokenizer.json files write them.
const (
	patternGPT2   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	patternGPT2b  = `'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	patternLlama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternQwen2  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

var patterns = map[string]step{
	patternGPT2:   stepGPT2,
	patternGPT2b:  stepGPT2,
	patternLlama3: stepLlama3,
	patternQwen2:  stepQwen2,
	`\p{N}`:       stepDigits,
	`\p{N}+`:      stepDigitRuns,
}

type class uint8

const (
	other  class = iota
	letter       // \p{L}
	number       // \p{N}
	space        // \s: White_Space
)

var asciiClass = func() (t [utf8.RuneSelf]class) {
	for c := range t {
		t[c] = classOf(rune(c))
	}
	return t
}()

// classOf looks r up in the pinned tables; Go's own follow its releases, and token
// ids must not.
func classOf(r rune) class {
	lo, hi := 0, len(classStarts) // the range of r starts at lo−1
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if rune(classStarts[mid]>>2) <= r {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return other
	}
	return class(classStarts[lo-1] & 3)
}

// at returns the class and the length of the character at s[i:]; i < len(s).
func at(s string, i int) (class, int) {
	if c := s[i]; c < utf8.RuneSelf {
		return asciiClass[c], 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	return classOf(r), n
}

// run returns the end of the run of characters of class c that starts at s[i:].
func run(s string, i int, c class) int {
	for i < len(s) {
		d, n := at(s, i)
		if d != c {
			break
		}
		i += n
	}
	return i
}

// next returns the length of the first piece of s, which is not empty.
func (st step) next(s string) int {
	switch st {
	case stepGPT2:
		return nextGPT2(s)
	case stepLlama3:
		return nextLlama3(s, 3)
	case stepQwen2:
		return nextLlama3(s, 1)
	case stepDigits, stepDigitRuns:
		return nextDigits(s, st == stepDigits)
	}
	return len(s)
}

// nextGPT2 matches patternGPT2 at the start of s: the first alternative that
// matches wins, and every character starts some alternative.
func nextGPT2(s string) int {
	if n := contraction(s, false); n > 0 {
		return n
	}
	i := 0
	if s[0] == ' ' && len(s) > 1 {
		i = 1
	}
	c, n := at(s, i)
	if c != space {
		return run(s, i+n, c)
	}
	return blanks(s)
}

// blanks matches \s+(?!\S)|\s+ at the start of s, which is white space: the whole
// run if it ends the text, else the run without its last character (which goes to
// the next word), else that one character.
func blanks(s string) int {
	end, last := 0, 0
	for end < len(s) {
		c, n := at(s, end)
		if c != space {
			break
		}
		end, last = end+n, n
	}
	if end < len(s) && end > last {
		return end - last
	}
	return end
}

// nextLlama3 matches patternLlama3 (digits = 3) or patternQwen2 (digits = 1).
func nextLlama3(s string, digits int) int {
	if n := contraction(s, true); n > 0 {
		return n
	}
	c, n := at(s, 0)
	if c == letter {
		return run(s, n, letter)
	}
	if c == number {
		for end := n; ; digits-- {
			if digits == 1 || end == len(s) {
				return end
			}
			d, m := at(s, end)
			if d != number {
				return end
			}
			end += m
		}
	}
	// [^\r\n\p{L}\p{N}]?\p{L}+ with its first character present
	if s[0] != '\r' && s[0] != '\n' && n < len(s) {
		if d, m := at(s, n); d == letter {
			return run(s, n+m, letter)
		}
	}
	i := 0
	if s[0] == ' ' && len(s) > 1 {
		i = 1
	}
	if d, m := at(s, i); d == other {
		end := run(s, i+m, other)
		for end < len(s) && (s[end] == '\r' || s[end] == '\n') {
			end++
		}
		return end
	}
	// White space. \s*[\r\n]+ backtracks to the last line break of the run.
	end := run(s, 0, space)
	if br := strings.LastIndexAny(s[:end], "\r\n"); br >= 0 {
		return br + 1
	}
	return blanks(s)
}

// contraction matches 's 't 're 've 'm 'll 'd; with fold in either case, where
// U+017F (long s) counts as an s, as case folding has it.
func contraction(s string, fold bool) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	a, b := s[1], byte(0)
	if len(s) > 2 {
		b = s[2]
	}
	if fold {
		if strings.HasPrefix(s[1:], "ſ") {
			return 1 + len("ſ")
		}
		a, b = lower(a), lower(b)
	}
	switch {
	case a == 's', a == 't', a == 'm', a == 'd':
		return 2
	case a == 'r' && b == 'e', a == 'v' && b == 'e', a == 'l' && b == 'l':
		return 3
	}
	return 0
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func nextDigits(s string, single bool) int {
	c, n := at(s, 0)
	if c == number {
		if single {
			return n
		}
		return run(s, n, number)
	}
	for n < len(s) {
		d, m := at(s, n)
		if d == number {
			break
		}
		n += m
	}
	return n
}
