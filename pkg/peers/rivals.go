package peers

import (
	_ "embed"
	"runtime"
)

// Names of the rivals, as Install, Missing and the tables give them.
const (
	LlamaCpp    = "llama.cpp"
	MKL         = "mkl"
	OneDNN      = "onednn"
	ONNXRuntime = "onnxruntime"
	OpenBLAS    = "openblas"
)

// Rivals lists all of them, the most wanted first.
func Rivals() []string { return []string{LlamaCpp, MKL, OneDNN, ONNXRuntime, OpenBLAS} }

var (
	//go:embed requirements/base.txt
	requireBase []byte
	//go:embed requirements/build.txt
	requireBuild []byte
	//go:embed requirements/llama.txt
	requireLlama []byte
	//go:embed requirements/mkl.txt
	requireMKL []byte
	//go:embed requirements/onednn.txt
	requireOneDNN []byte
	//go:embed requirements/onnxruntime.txt
	requireONNXRuntime []byte
)

var (
	//go:embed workers/protocol.py
	protocol string
	//go:embed workers/llama.py
	llamaWorker string
	//go:embed workers/mkl.py
	mklWorker string
	//go:embed workers/onednn.py
	onednnWorker string
	//go:embed workers/onnxruntime.py
	onnxruntimeWorker string
	//go:embed workers/openblas.py
	openblasWorker string
)

// rival is what is known of one before it is installed.
type rival struct {
	name    string
	require []byte // hash-pinned; nil: numpy alone
	source  bool   // compiled on this machine
	worker  string
	ops     []Op
	forms   []form
	trim    []string // files below lib that are of no use here, as patterns
}

// form is a setting of which the faster one counts.
type form struct {
	name     string
	settings map[string]any
}

var flashForms = []form{{"flash attention", map[string]any{"flash": true}}, {"plain attention", map[string]any{"flash": false}}}

func rivals() []rival {
	gemms := []Op{GEMM, SGEMM}
	packed := []form{{"packed weights", map[string]any{"packed": true}}, {"plain weights", map[string]any{"packed": false}}}
	one := []form{{}}
	return []rival{
		{LlamaCpp, requireLlama, true, llamaWorker, []Op{Prefill, Decode, First, Memory}, flashForms, nil},
		{MKL, requireMKL, false, mklWorker, gemms, packed, []string{
			"libmkl_blacs*", "libmkl_scalapack*", "libmkl_vml*", "libmkl_*ilp64*", "libmkl_tbb*", "libmkl_gnu*", "libmkl_sequential*", "libmkl_pgi*",
			"libomptarget*", "*.a", "*.dbg"}},
		{OneDNN, requireOneDNN, false, onednnWorker, gemms, one, []string{"libdnnl.so", "libdnnl.so.3.2"}},
		{ONNXRuntime, requireONNXRuntime, false, onnxruntimeWorker, gemms, one, nil},
		{OpenBLAS, nil, false, openblasWorker, []Op{SGEMM}, one, nil},
	}
}

// script is the whole source of the rival's worker.
func (r rival) script() string { return protocol + "\n" + r.worker }

// build is the environment of a compilation: llama.cpp for this very CPU, with
// OpenMP, without the programs around its library.
func build(env []string, hook string) []string {
	args := "-DGGML_NATIVE=ON -DGGML_OPENMP=ON -DGGML_CCACHE=OFF -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF" +
		" -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_OPENSSL=OFF -DCMAKE_PROJECT_llama.cpp_INCLUDE=" + hook
	return append(env, "CMAKE_ARGS="+args, "CMAKE_BUILD_PARALLEL_LEVEL="+itoa(runtime.NumCPU()))
}

// hookText undoes what llama-cpp-python forces on: a third of the build time,
// for a library that nothing here uses.
const hookText = "set(LLAMA_BUILD_COMMON OFF)\n"

// threadEnv gives every rival the same threads. Its workers wait actively for a
// few milliseconds only, so that they are asleep when the next subject runs.
func threadEnv(threads int) []string {
	n := itoa(threads)
	return []string{"OMP_NUM_THREADS=" + n, "OMP_DYNAMIC=FALSE", "MKL_NUM_THREADS=" + n, "MKL_DYNAMIC=FALSE", "OPENBLAS_NUM_THREADS=" + n,
		"KMP_BLOCKTIME=10", "OPENBLAS_THREAD_TIMEOUT=24"}
}
