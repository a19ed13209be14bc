// Package corpus gives evaluation texts byte for byte.
//
//	wikitext2    WikiText-2 raw, test split: rows joined by two newlines
//	c4           C4 validation, the first 1100 documents joined by one space
//	calibration  WikiText-2 raw, train split, the first 3279 rows, as wikitext2
//	enwiki       the validation split of the training text (see [Article]): 99 articles
//	opticks      Newton's Opticks, the file that the Go distribution tests with
//	FILE         plain text (.gz, .xz too), or .jsonl, .jsonl.gz, .jsonl.xz: the field "text" of
//	             each line, documents joined by two newlines
//
// A perplexity depends on every byte of its text (a newline too few moves it by
// a percent), so each named text has a pinned SHA-256 and [Load] returns nothing
// else. The hash of a FILE is computed and goes into the record.
//
// # Rows
//
// A raw WikiText file is split at "\n" and the empty last piece dropped. A line of
// blanks only is the empty row; any other row keeps its newline at the end. Rows
// are joined by "\n\n", so an empty row leaves two newlines more between its
// neighbours. This is how the rows of the published data set look and how the
// GPTQ scripts join them.
//
// # Where a text is looked up
//
//  1. the folder ILLM_DATA: wikitext2/test.txt.gz, wikitext2/train_raw_prefix.txt.gz,
//     c4/validation.jsonl.gz, train/enwiki2015.jsonl.xz (the only place for that one)
//  2. the cache: corpora/NAME.txt below hub.CacheDir()
//  3. the Hugging Face hub: the parquet files of Salesforce/wikitext, the first
//     validation shard of allenai/c4; the text is then kept in the cache
//
// opticks comes from GOROOT/src/testdata and needs no network.
//
// Departure from the GPTQ scripts: their C4 text is 256 random slices of shard 0.
// Perplexities on c4 compare only with others measured here.
package corpus
