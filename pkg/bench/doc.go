// Package bench runs measurements and files them as records: perplexity and
// divergence from the float model (Quality), speed and memory (Speed).
//
// A measurement whose record exists is not run again. Quality depends on bits
// alone: its key is the configuration, the artefact, the text and the semantics
// version, so a record made on one machine stands for all. Speed depends on the
// machine: its key holds commit and CPU too.
//
// Study asks questions about our own speed and holds the answers against the
// project's goals: operators a row at a time beside float ones, the components of
// prefill, the engine with float operators, threads, the length of the prompt and
// the roofline. What is compared takes turns in one run. Measured turns their
// records into tables, goals and charts.
//
// Quality follows the protocol of the paper's tables (GPTQ's): the text is cut
// into whole windows, each scored from an empty cache; the perplexity is the
// exponential of the mean over windows of the mean negative log-likelihood. The
// float model runs once a window and every variant is compared with it.
//
// With a Backend the float model and the float simulations run elsewhere, on an
// accelerator (package accel); integers never do. Keys stay the same, because a
// float row is the same question wherever it is asked; its record names the
// backend, and so does one that found some of its windows or answers finished by it.
package bench
