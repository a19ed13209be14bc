package corpus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
)

// parquetRow is what is read of a row.
type parquetRow struct {
	Text string `parquet:"text"`
}

// readParquetRows returns a function that joins the column "text" of the first n
// rows of a parquet file (0: of all) as rows of a raw WikiText file.
func readParquetRows(n int) func(path string) ([]byte, error) {
	return func(path string) (b []byte, err error) {
		// The library panics on some damaged files.
		defer func() {
			if p := recover(); p != nil {
				b, err = nil, fmt.Errorf("read %s: damaged parquet file: %v: remove it to have it downloaded again", path, p)
			}
		}()
		rows, err := parquetRows(path, n)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w: remove it to have it downloaded again", path, err)
		}
		return joinRows(rows), nil
	}
}

func parquetRows(path string, n int) ([][]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkFooter(f, st.Size()); err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(f, st.Size())
	if err != nil {
		return nil, fmt.Errorf("expected a parquet file: %w", err)
	}
	if _, ok := file.Schema().Lookup("text"); !ok {
		return nil, errors.New(`expected a column "text", found none`)
	}
	r := parquet.NewGenericReader[parquetRow](file)
	defer r.Close()
	var rows [][]byte
	size := 0
	buf := make([]parquetRow, 256)
	for n == 0 || len(rows) < n {
		k, err := r.Read(buf)
		for _, row := range buf[:k] {
			if n > 0 && len(rows) == n {
				break
			}
			if size += len(row.Text); size > maxText {
				return nil, fmt.Errorf("expected at most %d bytes of text, found more", maxText)
			}
			rows = append(rows, []byte(row.Text))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if n > 0 && len(rows) < n {
		return nil, fmt.Errorf("expected %d rows, found %d", n, len(rows))
	}
	return rows, nil
}

// checkFooter compares the length of the footer, which the last 8 bytes state,
// with the file's: the library allocates it unseen.
func checkFooter(f io.ReaderAt, size int64) error {
	var tail [8]byte
	if size < 12 {
		return fmt.Errorf("expected a parquet file, found %d bytes", size)
	}
	if _, err := f.ReadAt(tail[:], size-8); err != nil {
		return err
	}
	if n := int64(binary.LittleEndian.Uint32(tail[:])); string(tail[4:]) != "PAR1" || n > size-12 {
		return fmt.Errorf("expected a parquet file with a footer below %d bytes, found %d and %q at its end", size-12, n, tail[4:])
	}
	return nil
}
