// Package tasks holds six zero-shot tasks as data: where their items lie, how an
// item becomes a question with choices, and how that becomes tokens.
//
//	piqa           PIQA           validation   1838 items   2 choices
//	arc_easy       ARC-e          test         2376         3 to 5
//	arc_challenge  ARC-c          test         1172         3 to 5
//	boolq          BoolQ          validation   3270         2
//	hellaswag      HellaSwag      validation  10042         4
//	winogrande     WinoGrande     validation   1267         2
//
// # From a line to a score
//
//	line ──parse──▶ Item: a context and a continuation for each choice, gold
//	     ──Encode──▶ Question: for each choice the tokens a model reads and those it is scored on
//	     ──(package eval)──▶ LL_j = Σ ln p(continuation_j | context_j)
//
//	acc       gold = argmax_j LL_j                          ties: the first choice
//	acc_norm  gold = argmax_j LL_j / characters of choice j
//
// The prompts are those of lm-evaluation-harness without examples before them:
//
//	PIQA        "Question: GOAL\nAnswer:"                    " SOLUTION"
//	ARC         "Question: STEM\nAnswer:"                    " CHOICE"
//	BoolQ       "PASSAGE\nQuestion: QUESTION?\nAnswer:"      " no", " yes"
//	HellaSwag   "ACTIVITY: CONTEXT"                          " ENDING"      texts cleaned, see clean
//	WinoGrande  the sentence to the gap, filled by OPTION    " REST"        REST is scored, the options stand in the contexts
//
// Characters are Unicode code points of the choice without the blank before it.
// BoolQ and WinoGrande have no acc_norm there and none here.
//
// # Tokens
//
// White space at the end of a context moves to the front of the continuation.
// Context and continuation are encoded as one text; the tokens behind the first
// n are the continuation's, n being the number of tokens of the context alone.
// No token is put before the context. What exceeds a model's window of W tokens
// is cut on the left, W tokens being read and one more scored.
//
// # Where the items come from
//
// The file below ILLM_DATA, else what an earlier download left in the cache, else
// the data set's repository (package hub). Whatever the place, the items must have
// the SHA-256 that the task states (see Set.Hash), so that a number means the same
// everywhere. [Choose] picks a fixed part of a task, the same for every model.
//
// # Departure
//
// HellaSwag's shared file comes with activity and context joined and cleaned, and
// with the second half of a context as it was written, where the harness puts a
// capital at its head ("A man sits. He", here "A man sits. he"). All models here see the
// same text; figures of other programs may differ by a fraction of a percent.
//
// Sources: lm-evaluation-harness (Gao et al.), tasks piqa, arc_easy, arc_challenge,
// super_glue boolq, hellaswag, winogrande. Bisk et al. 2020 (PIQA), Clark et al. 2018
// (ARC), Clark et al. 2019 (BoolQ), Zellers et al. 2019 (HellaSwag), Sakaguchi et al.
// 2020 (WinoGrande). testdata/harness.py runs the harness itself; package eval compares.
package tasks
