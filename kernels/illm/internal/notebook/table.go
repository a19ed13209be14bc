package notebook

import (
	"regexp"
	"slices"
)

// tableName is a letter, with a digit for a table of the paper: T1 … T6, A, B, D.
var tableName = regexp.MustCompile(`^[A-Z]\d?$`)

// KeepTable leaves out the cells that belong to other tables alone: those that are
// tagged with names of tables, but not with this one. Cells without such a tag stay; so
// does the whole notebook if no cell is tagged with this one.
func (nb *Notebook) KeepTable(table string) {
	tagged := func(c *Cell) bool { return slices.Contains(c.Tags, table) }
	if !slices.ContainsFunc(nb.Cells, tagged) {
		return
	}
	nb.Cells = slices.DeleteFunc(nb.Cells, func(c *Cell) bool {
		return !tagged(c) && slices.ContainsFunc(c.Tags, tableName.MatchString)
	})
}
