// Package record keeps results: one measured result is one [Record], written as
// one line of JSON and never edited afterwards. Tables and charts are functions
// of records, so a number on a page can be followed back to the configuration,
// the artefact, the text and the commit that it came from.
//
// # Where records live
//
// A [Store] reads two places and writes one:
//
//	shipped   *.jsonl files of the repository's data/records, read only
//	user      *.jsonl files of the user's data folder, read and appended to
//
// The user's folder is the option Dir, else the environment variable
// ILLM_RECORDS, else illm/records below the platform's folder for application
// data ([DefaultDir]). Reading a notebook or running the command therefore
// leaves a clone of the repository as it was.
//
// # Keys
//
// The key says which question a record answers: two records with the same key
// answer the same one, and the second need not be computed. It is the SHA-256
// of canonical JSON (keys sorted, no spaces) over
//
//	quality   kind, config, seed, artefact, corpus, semantics
//	timing    the same, and commit and CPU
//
// The number "semantics" is raised only when the golden hash of the integer
// logits changes: a commit that leaves the bits alone leaves quality records
// valid. A timing belongs to the code and the machine that ran.
//
// # Lines
//
//	{"v":1,"kind":"quality","key":"…","config":{…},"axes":{…},"metrics":[…],…}
//
// Fields come in the order of the struct, maps with sorted keys, so that equal
// records are equal bytes. JSON has no infinities: a metric that is not finite
// is written as the string "NaN", "+Inf" or "-Inf".
//
// # Crashes and neighbours
//
// A line is appended by one write in append mode while a lock file is held, and
// is synced before Append returns. A process killed within that write leaves a
// torn last line. A reader skips a line that is not a whole record and reports
// it ([Store.Warnings]); the next writer ends the torn line with a newline
// first, so that nothing is glued to it.
package record
