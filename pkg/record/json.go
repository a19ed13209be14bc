package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// decodeNumbers is json.Unmarshal, except that numbers inside an any stay
// json.Number: a 64-bit seed or id in a configuration keeps all its digits, and
// a configuration read back hashes as it did when it was written.
func decodeNumbers(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one JSON value")
	}
	return nil
}
