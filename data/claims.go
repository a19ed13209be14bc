package data

import _ "embed"

//go:embed claims.json
var claims []byte

// Claims is what the repository says of its results, with the values that a fresh run
// should give: a JSON list, read by package claims of the command.
func Claims() []byte { return claims }
