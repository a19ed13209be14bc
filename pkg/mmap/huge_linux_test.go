package mmap

import (
	"os"
	"path/filepath"
	"testing"
)

// The tightest group around the process counts, in either version's files.
func TestGroupRoom(t *testing.T) {
	for name, c := range map[string]struct {
		table   string
		files   map[string]string
		room    int64
		limited bool
	}{
		"no groups": {table: "0::/"},
		"version 2, a container": {"0::/\n", map[string]string{
			"memory.max": "1000\n", "memory.current": "700\n", "memory.stat": "anon 300\nfile 400\nshmem 150\n"}, 550, true},
		"version 2, no limit": {"0::/a\n", map[string]string{"a/memory.max": "max\n", "a/memory.current": "700\n"}, 0, false},
		"version 2, the one around": {"0::/a/b\n", map[string]string{
			"a/b/memory.max": "max\n", "a/b/memory.current": "1\n", "a/memory.max": "90\n", "a/memory.current": "60\n"}, 30, true},
		"version 1": {"9:cpu:/x\n4:hugetlb,memory:/a/b\n0::/\n", map[string]string{
			"memory/memory.limit_in_bytes": "9223372036854771712\n", "memory/memory.usage_in_bytes": "5\n",
			"memory/a/b/memory.limit_in_bytes": "100\n", "memory/a/b/memory.usage_in_bytes": "80\n",
			"memory/a/b/memory.stat": "cache 1\ntotal_cache 30\ntotal_shmem 30\n"}, 20, true},
		"outside the container": {"0::/../..\n", map[string]string{"memory.max": "7\n", "memory.current": "2\n"}, 5, true},
		"no table":              {"", map[string]string{"memory.max": "7\n", "memory.current": "9\n"}, -2, true},
		"nonsense":              {"x\n::\n1:memory\n", nil, 0, false},
	} {
		dir := t.TempDir()
		root, table := filepath.Join(dir, "group"), filepath.Join(dir, "table")
		for path, text := range c.files {
			path = filepath.Join(root, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if c.table != "" {
			if err := os.WriteFile(table, []byte(c.table), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if room, limited := groupRoom(root, table); room != c.room || limited != c.limited {
			t.Errorf("%s: %d, limited %v; want %d, %v", name, room, limited, c.room, c.limited)
		}
	}
}
