package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The stored form, little-endian u32 throughout but for bytes:
//
//	"illmtok1"  flags  steps (count, bytes)  tokens  merges
//	tokens: count n, n role bytes, n lengths, bytes of all tokens
//	merges: count m, m × (left, right, result) by rank
const marshalMagic = "illmtok1"

const (
	flagNFC = 1 << iota
	flagWholeFirst
	flagPrefixSpace
	flagsEnd
)

// Marshal returns the tokenizer in a form that [Unmarshal] reads in milliseconds:
// about 1 MB for 49152 tokens. Equal tokenizers give equal bytes.
func (t *Tokenizer) Marshal() []byte {
	le := binary.LittleEndian
	var flags uint32
	for bit, on := range map[uint32]bool{flagNFC: t.nfc, flagWholeFirst: t.wholeFirst, flagPrefixSpace: t.prefixSpace} {
		if on {
			flags |= bit
		}
	}
	n := len(t.role)
	b := make([]byte, 0, 32+len(t.steps)+5*n+len(t.text)+12*len(t.pairs))
	b = append(b, marshalMagic...)
	b = le.AppendUint32(b, flags)
	b = le.AppendUint32(b, uint32(len(t.steps)))
	for _, s := range t.steps {
		b = append(b, byte(s))
	}
	b = le.AppendUint32(b, uint32(n))
	for _, r := range t.role {
		b = append(b, byte(r))
	}
	for i := range n {
		b = le.AppendUint32(b, t.start[i+1]-t.start[i])
	}
	b = append(b, t.text...)
	b = le.AppendUint32(b, uint32(len(t.pairs)))
	for _, p := range t.pairs {
		b = le.AppendUint32(b, uint32(p.left))
		b = le.AppendUint32(b, uint32(p.right))
		b = le.AppendUint32(b, uint32(p.result))
	}
	return b
}

var errTruncated = errors.New("the data end early")

// Unmarshal reads what Marshal wrote. It copies: b may be unmapped afterwards.
// Damaged data give an error; whatever passes is a tokenizer that cannot panic.
func Unmarshal(b []byte) (*Tokenizer, error) {
	t, err := unmarshal(b)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: unmarshal: %w", err)
	}
	return t, nil
}

func unmarshal(b []byte) (*Tokenizer, error) {
	if len(b) < len(marshalMagic) || string(b[:len(marshalMagic)]) != marshalMagic {
		return nil, fmt.Errorf("expected the magic %q, found %q", marshalMagic, b[:min(len(b), len(marshalMagic))])
	}
	r := &bytesReader{b: b[len(marshalMagic):]}
	flags := r.u32()
	if flags >= flagsEnd {
		return nil, fmt.Errorf("unknown flags %#x: written by a newer version", flags)
	}
	t := &Tokenizer{nfc: flags&flagNFC != 0, wholeFirst: flags&flagWholeFirst != 0, prefixSpace: flags&flagPrefixSpace != 0}
	for _, s := range r.take(r.u32(), 1) {
		if s == 0 || step(s) > lastStep {
			return nil, fmt.Errorf("unknown splitting rule %d: written by a newer version", s)
		}
		t.steps = append(t.steps, step(s))
	}
	n := r.u32()
	if n > maxVocab {
		return nil, fmt.Errorf("expected at most %d tokens, found %d", maxVocab, n)
	}
	for _, x := range r.take(n, 1) {
		if Role(x) > Unused {
			return nil, fmt.Errorf("unknown role %d of a token", x)
		}
		t.role = append(t.role, Role(x))
	}
	lengths, end := r.take(n, 4), uint64(0)
	t.start = make([]uint32, 1, len(lengths)/4+1)
	for i := 0; i < len(lengths); i += 4 {
		end += uint64(binary.LittleEndian.Uint32(lengths[i:]))
		if end > uint64(len(b)) {
			return nil, errTruncated
		}
		t.start = append(t.start, uint32(end))
	}
	t.text = string(r.take(uint32(end), 1))
	m := r.u32()
	raw := r.take(m, 12)
	switch {
	case r.short:
		return nil, errTruncated
	case len(r.b) != 0:
		return nil, fmt.Errorf("%d bytes follow the end", len(r.b))
	case m > maxVocab:
		return nil, fmt.Errorf("expected at most %d merges, found %d", maxVocab, m)
	}
	t.pairs = make([]pair, m)
	for i := range t.pairs {
		w := raw[12*i:]
		p := pair{int32(binary.LittleEndian.Uint32(w)), int32(binary.LittleEndian.Uint32(w[4:])), int32(binary.LittleEndian.Uint32(w[8:]))}
		if uint32(p.left) >= n || uint32(p.right) >= n || uint32(p.result) >= n || t.Token(p.left)+t.Token(p.right) != t.Token(p.result) {
			return nil, fmt.Errorf("merge %d: tokens %d and %d do not join to %d", i, uint32(p.left), uint32(p.right), uint32(p.result))
		}
		t.pairs[i] = p
	}
	t.index()
	return t, nil
}

// bytesReader hands out the data piece by piece; short is set, once and for all,
// by a request for more than is left.
type bytesReader struct {
	b     []byte
	short bool
}

func (r *bytesReader) take(n uint32, size uint64) []byte {
	if r.short || uint64(n)*size > uint64(len(r.b)) {
		r.short = true
		return nil
	}
	out := r.b[:uint64(n)*size]
	r.b = r.b[len(out):]
	return out
}

func (r *bytesReader) u32() uint32 {
	if b := r.take(1, 4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}
