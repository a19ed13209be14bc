package ablation

import (
	"fmt"
	"testing"
)

// TestShards: every window of every configuration belongs to exactly one shard.
func TestShards(t *testing.T) {
	var batches [][]Config
	for b, windows := range []string{"1", "8", "9", "37", "1"} {
		var batch []Config
		for _, r := range []string{"w8a8", "w4a4"} {
			batch = append(batch, Config{"model": fmt.Sprint("m", b), "recipe": r, "corpus": "wikitext2", "first": "3", "windows": windows})
		}
		batches = append(batches, batch)
	}
	for _, n := range []int{1, 2, 3, 7, 20} {
		seen := map[string]int{}
		for i := 1; i <= n; i++ {
			parts, err := Shard{i, n}.Cut(batches)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range parts {
				for _, c := range part {
					first, _ := c.Int("first")
					windows, _ := c.Int("windows")
					if windows < 1 || windows > piece {
						t.Fatalf("%s: %d windows", c, windows)
					}
					for w := range windows {
						seen[fmt.Sprint(c["model"], c["recipe"], first+w)]++
					}
				}
			}
		}
		if want := 2 * (1 + 8 + 9 + 37 + 1); len(seen) != want {
			t.Errorf("%d shards: %d windows, want %d", n, len(seen), want)
		}
		for w, times := range seen {
			if times != 1 {
				t.Errorf("%d shards: %s %d times", n, w, times)
			}
		}
	}
	asked := [][]Config{{{"recipe": "w8a8", "corpus": ZeroShot}, {"recipe": "w4a4", "corpus": ZeroShot}}, {{"recipe": "w4a4", "corpus": "c4", "windows": "9"}}}
	pieces := map[string]int{}
	for i := range 5 {
		parts, err := Shard{i + 1, 5}.Cut(asked)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			pieces[part[0].String()]++
		}
	}
	if len(pieces) != 2*6+5 || pieces["corpus=zeroshot recipe=w4a4 task=boolq"] != 1 {
		t.Errorf("zero-shot pieces: %v", pieces)
	}
	if _, err := (Shard{1, 2}).Cut([][]Config{{{"corpus": Speed, "windows": "1"}}}); err == nil {
		t.Error("times were cut")
	}
	for _, bad := range []string{"", "1", "0/3", "4/3", "a/b", "1/0", "-1/2"} {
		if s, err := ParseShard(bad); err == nil {
			t.Errorf("%q is read as %v", bad, s)
		}
	}
	if s, err := ParseShard("2/8"); err != nil || s != (Shard{2, 8}) {
		t.Errorf("2/8 is read as %v, %v", s, err)
	}
}
