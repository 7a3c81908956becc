# SPDX-License-Identifier: MIT
# The only build file. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := all
.PHONY: all

VERSION := 0.1.0
SOVERSION := 0
PREFIX ?= /usr/local
MANDIR ?= $(PREFIX)/share/man
LIBDIR ?= $(PREFIX)/lib
BINDIR ?= $(PREFIX)/bin
INCLUDEDIR ?= $(PREFIX)/include
DESTDIR ?=
BUILD ?= build
CPU_BUILD ?= $(BUILD)
LIBOUT ?= lib
CC ?= gcc
OPT ?= -O2 -g
SAN ?=
JOBS ?= $(shell nproc)
MDLDM_LIBDIR ?= $(LIBDIR)
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
CPPFLAGS_ALL = -Iinclude -Isrc -I. -Itests -D_GNU_SOURCE -DMDLDM_BUILDING -DMDLDM_LIBDIR='"$(MDLDM_LIBDIR)"' $(CPPFLAGS)
CFLAGS_ALL = -std=c11 -fPIC -fvisibility=hidden -ffp-contract=off $(OPT) $(WARN) $(SAN) -MMD -MP $(CFLAGS)
# Hot loops of plain C want the vectoriser.
CFLAGS_ref_conv := -O3
CFLAGS_ref_attention := -O3
CFLAGS_store_adamw := -O3
CFLAGS_layout := -O3
CFLAGS_safetensors_values := -O3
CFLAGS_bench_peak := -O3
# One set of kernels per instruction set, chosen at run time. Within a kernel a*b+c may fuse.
ISA_FLAGS := -O3 -ffp-contract=fast -Wno-psabi
ISA_FLAGS_base :=
ISA_FLAGS_avx2 := -mavx2 -mfma
ISA_FLAGS_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma
ISA_FLAGS_avx512bf16 := $(ISA_FLAGS_avx512) -mavx512bf16 -mavx512vnni
$(foreach g,isa products,$(foreach x,base avx2 avx512 avx512bf16,$(eval CFLAGS_cpu_$(g)_$(x) := $(ISA_FLAGS) $(ISA_FLAGS_$(x)))))
# oneDNN 2.6 or 3.x: the system's, or the one in DNNL_PREFIX (include/ and lib/; found there at run time too).
DNNL_PREFIX ?=
DNNL_CFLAGS := $(if $(DNNL_PREFIX),-isystem $(DNNL_PREFIX)/include)
DNNL_LIBS := $(if $(DNNL_PREFIX),-L$(DNNL_PREFIX)/lib -Xlinker -rpath -Xlinker $(DNNL_PREFIX)/lib) -ldnnl
LDFLAGS_ALL = $(SAN) $(LDFLAGS)
CORE_LIBS := -ljansson -lzip -lturbojpeg -lpng -lz -lm -ldl -lpthread

CORE_SRC := $(wildcard src/*/*.c) $(wildcard backends/common/*.c) $(wildcard backends/reference/*.c)
CORE_OBJ := $(CORE_SRC:%.c=$(BUILD)/%.o)
CPU_SRC := $(wildcard backends/cpu/*.c) $(wildcard backends/common/*.c) src/util/thread.c
CPU_OBJ := $(CPU_SRC:%.c=$(CPU_BUILD)/cpu-plugin/%.o)
# CUDA kernels: PTX by clang-16, by nvcc, or by both; neither: no cuda plug-in. The plug-in holds nvcc's where
# nvcc is. CUDA_ARCHS: machine code for these besides (nvcc; install takes them all).
CUDA_CLANG ?= $(shell command -v clang-16)
NVCC ?= $(shell command -v nvcc)
CUDA_ARCHS ?=
comma := ,
CUDA_ALL_ARCHS := 80 86 89 90 100 120
CUDA_COMPILERS := $(if $(NVCC),nvcc) $(if $(CUDA_CLANG),clang)
CUDA_SRC := $(wildcard backends/cuda/*.c) $(wildcard backends/common/*.c)
CUDA_OBJ := $(CUDA_SRC:%.c=$(BUILD)/cuda-plugin/%.o)
CUDA_KERNELS := $(sort $(notdir $(basename $(wildcard backends/cuda/kernels/*.cu))))
CUDA_HEADERS := $(wildcard backends/cuda/kernels/*.cuh backends/cuda/cuda_args_*.h)
EXAMPLE_COMMON := $(wildcard examples/common/*.c)
PROGRAMS := $(patsubst examples/%.c,%,$(wildcard examples/mdldm_*.c))
PROGRAM_BINS := $(foreach p,$(PROGRAMS),$(BUILD)/bin/$(subst _,-,$(p)))
MAN_PAGES := $(foreach p,$(PROGRAMS),$(BUILD)/man/$(subst _,-,$(p)).1)
# Those of the interpreter that need no kernels, or do without; the others test the plug-in.
SIM_TESTS := $(patsubst %,tests/cuda/test_cuda_%.c,lanes matrix planted runtime)
TEST_SRC := $(wildcard tests/unit/test_*.c tests/backend/test_*.c tests/golden/test_*.c tests/fuzz/test_*.c) $(if $(strip $(CUDA_COMPILERS)),$(wildcard tests/cuda/test_*.c),$(SIM_TESTS))
TEST_SUPPORT := $(wildcard tests/support/*.c)
TEST_BINS := $(TEST_SRC:%.c=$(BUILD)/%)

PLUGIN_NAMES := cpu $(if $(strip $(CUDA_COMPILERS)),$(if $(wildcard backends/cuda/cuda_entry.c),cuda))
PLUGINS := $(foreach p,$(PLUGIN_NAMES),$(BUILD)/backends/mdldm_backend_$(p).so $(LIBOUT)/mdldm/mdldm_backend_$(p).so)
ifeq ($(strip $(CUDA_COMPILERS)),)
$(info No clang-16 and no nvcc: the cuda plug-in is not built.)
endif
all: $(LIBOUT)/libmdldm.a $(LIBOUT)/libmdldm.so.$(SOVERSION) $(PLUGINS) $(PROGRAM_BINS) $(MAN_PAGES) ## build the library, its backends, the programs and their manual pages

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(CFLAGS_$(notdir $*)) -c $< -o $@

$(LIBOUT)/libmdldm.a: $(CORE_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $(CORE_OBJ)

$(LIBOUT)/libmdldm.so.$(SOVERSION): $(CORE_OBJ) lib/libmdldm.map
	@mkdir -p $(@D)
	$(CC) -shared -Wl,-soname,libmdldm.so.$(SOVERSION) -Wl,--version-script=lib/libmdldm.map -Wl,-z,defs $(LDFLAGS_ALL) $(CORE_OBJ) $(CORE_LIBS) -o $@
	ln -sf libmdldm.so.$(SOVERSION) $(LIBOUT)/libmdldm.so

# Changes when DNNL_PREFIX does.
$(CPU_BUILD)/dnnl-prefix: FORCE
	@mkdir -p $(@D)
	@echo '$(DNNL_PREFIX)' | cmp -s - $@ || echo '$(DNNL_PREFIX)' > $@
.PHONY: FORCE
FORCE:

$(CPU_BUILD)/cpu-plugin/%.o: %.c $(CPU_BUILD)/dnnl-prefix
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(DNNL_CFLAGS) $(CFLAGS_ALL) -fopenmp $(CFLAGS_$(notdir $*)) -c $< -o $@

$(BUILD)/backends/mdldm_backend_cpu.so: $(CPU_OBJ) backends/cpu/exports.map $(CPU_BUILD)/dnnl-prefix
	@mkdir -p $(@D)
	$(CC) -shared -Wl,--version-script=backends/cpu/exports.map -Wl,-z,defs $(LDFLAGS_ALL) $(CPU_OBJ) $(DNNL_LIBS) -fopenmp -lm -lpthread -o $@

# ---- the cuda plug-in, one per compiler of its kernels: $(BUILD)/cuda/COMPILER/mdldm_backend_cuda.so ----
CUDA_CLANG_FLAGS := -x cuda --cuda-device-only -nocudainc -nocudalib --cuda-gpu-arch=sm_80 -ffreestanding -ffp-contract=off -O3 -Wall -Wextra -Wno-unused-function -Wno-unknown-cuda-version $(if $(WERROR),-Werror)
CUDA_NVCC_FLAGS := -fmad=false -O3 $(if $(WERROR),--Werror all-warnings)
CUDA_GENCODE = $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$(a),code=sm_$(a))
$(BUILD)/cuda/clang/%.ptx: backends/cuda/kernels/%.cu $(CUDA_HEADERS)
	@mkdir -p $(@D)
	$(CUDA_CLANG) $(CUDA_CLANG_FLAGS) -S $< -o $@
$(BUILD)/cuda/nvcc/%.ptx: backends/cuda/kernels/%.cu $(CUDA_HEADERS)
	@mkdir -p $(@D)
	$(NVCC) $(CUDA_NVCC_FLAGS) -arch=compute_80 --ptx $< -o $@
$(BUILD)/cuda/nvcc/%.fatbin: backends/cuda/kernels/%.cu $(CUDA_HEADERS)
	@mkdir -p $(@D)
	$(NVCC) $(CUDA_NVCC_FLAGS) $(CUDA_GENCODE) --fatbin $< -o $@

$(BUILD)/cuda-plugin/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(CFLAGS_$(notdir $*)) -c $< -o $@

# Changes when CUDA_ARCHS does.
$(BUILD)/cuda-archs: FORCE
	@mkdir -p $(@D)
	@echo '$(CUDA_ARCHS)' | cmp -s - $@ || echo '$(CUDA_ARCHS)' > $@

define CUDA_RULES
$(BUILD)/cuda/$(1)/images.c: backends/cuda/embed.sh $(BUILD)/cuda-archs $(CUDA_KERNELS:%=$(BUILD)/cuda/$(1)/%.ptx) $(if $(and $(filter nvcc,$(1)),$(CUDA_ARCHS)),$(CUDA_KERNELS:%=$(BUILD)/cuda/$(1)/%.fatbin))
	backends/cuda/embed.sh $(1) $$(filter %.ptx %.fatbin,$$^) > $$@
$(BUILD)/cuda/$(1)/mdldm_backend_cuda.so: $(CUDA_OBJ) $(BUILD)/cuda/$(1)/images.c backends/cuda/exports.map
	$$(CC) $$(CPPFLAGS_ALL) $$(CFLAGS_ALL) -c $(BUILD)/cuda/$(1)/images.c -o $(BUILD)/cuda/$(1)/images.o
	$$(CC) -shared -Wl,--version-script=backends/cuda/exports.map -Wl,-z,defs $$(LDFLAGS_ALL) $(CUDA_OBJ) $(BUILD)/cuda/$(1)/images.o -ldl -lm -o $$@
endef
$(foreach c,$(CUDA_COMPILERS),$(eval $(call CUDA_RULES,$(c))))

$(BUILD)/backends/mdldm_backend_cuda.so: $(BUILD)/cuda/$(firstword $(CUDA_COMPILERS))/mdldm_backend_cuda.so
	@mkdir -p $(@D)
	cp --remove-destination $< $@

.PHONY: cuda-variants
cuda-variants: $(foreach c,$(CUDA_COMPILERS),$(BUILD)/cuda/$(c)/mdldm_backend_cuda.so) ## the cuda plug-in once per compiler of its kernels that is here

# Assembling takes the toolkit; what clang-16 wrote is assembled too.
.PHONY: cuda-lint
cuda-lint: $(foreach c,$(CUDA_COMPILERS),$(CUDA_KERNELS:%=$(BUILD)/cuda/$(c)/%.ptx)) ## registers, shared memory, occupancy of the CUDA kernels; spills are errors (needs the CUDA toolkit)
	$(if $(NVCC),tests/cuda/lint.py $(dir $(NVCC))ptxas $(subst $() ,$(comma),$(strip $(CUDA_ALL_ARCHS))) $^,@echo 'No nvcc here: nothing to assemble with.')

# Beside the library, where a program in this tree looks for it; a new file, since a running one may be mapped.
$(LIBOUT)/mdldm/%.so: $(BUILD)/backends/%.so
	@mkdir -p $(@D)
	cp --remove-destination $< $@

# ---- programs ----
# Where programs look for the library, from their own folder; empty: where the loader does.
PROGRAM_RPATH ?= ../../lib
define PROGRAM_RULE
$(BUILD)/bin/$(subst _,-,$(1)): $(BUILD)/examples/$(1).o $(EXAMPLE_COMMON:%.c=$(BUILD)/%.o) $(LIBOUT)/libmdldm.so.$(SOVERSION)
	@mkdir -p $$(@D)
	$(CC) $(LDFLAGS_ALL) $$(filter %.o,$$^) -L$(LIBOUT) -lmdldm $(if $(PROGRAM_RPATH),-Wl$(comma)-rpath$(comma)'$$$$ORIGIN/$(PROGRAM_RPATH)') $$(LIBS_$(1)) -lm -o $$@
endef
LIBS_mdldm_simulate := -lkissfft-float
$(foreach p,$(PROGRAMS),$(eval $(call PROGRAM_RULE,$(p))))

# A program writes its own page, from the tables that its flags come from.
$(BUILD)/man/%.1: $(BUILD)/bin/%
	@mkdir -p $(@D)
	LD_LIBRARY_PATH=$(LIBOUT) $< --man > $@.new
	mv $@.new $@

.PHONY: docs
docs: $(LIBOUT)/libmdldm.so.$(SOVERSION) ## make docs/API.md from the header, docs/OPTIONS.md and Python's keyword types from the option table
	python3 docs/gen/api_md.py include/mdldm/mdldm.h lib/symbols-in-versions > docs/API.md
	python3 docs/gen/options_md.py $< include/mdldm/mdldm.h > docs/OPTIONS.md
	MDLDM_LIBRARY=$< PYTHONPATH=bindings/python /usr/bin/python3 docs/gen/python_keywords.py > bindings/python/mdldm/_keywords.py

# ---- tests ----
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(TEST_SUPPORT:%.c=$(BUILD)/%.o) $(LIBOUT)/libmdldm.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(filter %.o,$^) $(LIBOUT)/libmdldm.a $(CORE_LIBS) $(TEST_LIBS) -lcmocka -o $@

CFLAGS_test_host_process := -fopenmp
$(BUILD)/tests/unit/test_host_process: TEST_LIBS := -fopenmp
$(BUILD)/tests/unit/test_host_fft: TEST_LIBS := -rdynamic
$(BUILD)/tests/unit/test_dlopen: $(LIBOUT)/libmdldm.so.$(SOVERSION)

# Tests of the cpu plug-in's kernels take the tables of all instruction sets themselves.
$(BUILD)/tests/backend/test_k_%: TEST_LIBS := -fopenmp
$(BUILD)/tests/backend/test_k_gemm: $(patsubst %.c,$(CPU_BUILD)/cpu-plugin/%.o,$(wildcard backends/cpu/cpu_isa_*.c backends/cpu/cpu_products_*.c))

# ---- the CUDA runtime for tests: an interpreter of PTX behind libcudart's calls ----
FAKE_CUDA_SRC := $(wildcard tests/cuda/sim/*.c tests/cuda/runtime/*.c)
FAKE_CUDA := $(BUILD)/tests/cuda/libcudart.so.13
$(FAKE_CUDA_SRC:%.c=$(BUILD)/%.o): CFLAGS += -O3
$(FAKE_CUDA): $(FAKE_CUDA_SRC:%.c=$(BUILD)/%.o) tests/cuda/runtime/exports.map
	@mkdir -p $(@D)
	$(CC) -shared -Wl,-soname,libcudart.so.13 -Wl,--version-script=tests/cuda/runtime/exports.map -Wl,-z,defs $(LDFLAGS_ALL) $(FAKE_CUDA_SRC:%.c=$(BUILD)/%.o) -lm -lpthread -o $@

# Tests of that runtime are linked with it; their kernels are compiled by each compiler that is here.
CUDA_TEST_PTX := $(foreach c,$(CUDA_COMPILERS),$(patsubst tests/cuda/kernels/%.cu,$(BUILD)/tests/cuda/kernels/$(c)/%.ptx,$(wildcard tests/cuda/kernels/*.cu)))
CUDA_TEST_HEADERS := $(CUDA_HEADERS) $(wildcard tests/cuda/kernels/*.h)
$(BUILD)/tests/cuda/kernels/clang/%.ptx: tests/cuda/kernels/%.cu $(CUDA_TEST_HEADERS)
	@mkdir -p $(@D)
	$(CUDA_CLANG) $(CUDA_CLANG_FLAGS) -S $< -o $@
$(BUILD)/tests/cuda/kernels/nvcc/%.ptx: tests/cuda/kernels/%.cu $(CUDA_TEST_HEADERS)
	@mkdir -p $(@D)
	$(NVCC) $(CUDA_NVCC_FLAGS) -arch=compute_80 -lineinfo --ptx $< -o $@
SIM_LINKED := $(patsubst %.c,$(BUILD)/%,$(SIM_TESTS) $(patsubst %,tests/cuda/test_cuda_%.c,attention plugin steps))
$(SIM_LINKED): TEST_LIBS := -L$(BUILD)/tests/cuda -l:libcudart.so.13 -Wl,-rpath,'$$ORIGIN'
$(SIM_LINKED): $(FAKE_CUDA) $(CUDA_TEST_PTX)

.SECONDARY: # keep objects between runs

.PHONY: test-bins
test-bins: $(TEST_BINS) $(PLUGINS) $(PROGRAM_BINS) $(if $(strip $(CUDA_COMPILERS)),$(FAKE_CUDA) cuda-variants)

TEST_SCRIPTS := $(wildcard tests/abi/*.sh tests/docs/*.sh tests/install/*.sh tests/programs/run.sh tests/backend/*.sh tests/bindings/*.sh tests/cuda/*.sh)

# ---- measurements ----
BENCH_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench/bench_*.c))
$(BUILD)/tests/bench/bench: $(BENCH_OBJ) $(LIBOUT)/libmdldm.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(BENCH_OBJ) $(LIBOUT)/libmdldm.a $(CORE_LIBS) -o $@

$(BUILD)/tests/bench/study_int8: $(BUILD)/tests/bench/study_int8.o $(LIBOUT)/libmdldm.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $^ $(CORE_LIBS) -o $@

.PHONY: study-int8
study-int8: $(BUILD)/tests/bench/study_int8 $(PLUGINS) ## how far eight bits stray: STUDY="MODEL QUANTISED [IMAGES [STEPS]]"
	$< $(STUDY)

.PHONY: bench
bench: $(BUILD)/tests/bench/bench $(PLUGINS) ## measure the machine's peaks, then operations and whole steps against them
	$< --label "$$(git describe --always --dirty 2>/dev/null)" $(BENCH_ARGS)

$(BUILD)/tests/bench/study_steps: $(BUILD)/tests/bench/study_steps.o $(BUILD)/examples/common/sheet.o $(LIBOUT)/libmdldm.so.$(SOVERSION)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(filter %.o,$^) -L$(LIBOUT) -lmdldm -Wl,-rpath,$(abspath $(LIBOUT)) -lm -o $@

.PHONY: study-steps
study-steps: $(BUILD)/tests/bench/study_steps $(PLUGINS) ## how few steps give the same image: STUDY="MODEL SHEET.png [IMAGES [GUIDANCE]]"
	$< $(STUDY)

.PHONY: deps
deps: ## install the Debian packages that are missing (says which; asks before sudo)
	@.ci/deps

.PHONY: check
check: deps ## install what is missing, build everything, run all tests
	$(MAKE) -j$(JOBS) all test-bins
	tests/run.sh $(abspath $(BUILD))/backends $(TEST_BINS) $(TEST_SCRIPTS)

# The real libcudart is looked for where the loader looks: "real" is no path, so it names none.
.PHONY: check-cuda
check-cuda: ## the tests of all backends and whole models, with a real GPU instead of the test runtime
	$(MAKE) -j$(JOBS) all test-bins
	@MDLDM_CUDART=real $(BUILD)/bin/mdldm-info | awk '/^  cuda/ {here = 1; next} /^  [a-z]/ {here = 0} here && /unavailable/ {print "cuda is" $$0; bad = 1} END {exit bad}'
	MDLDM_CUDART=real tests/run.sh $(abspath $(BUILD))/backends $(filter $(BUILD)/tests/backend/% $(BUILD)/tests/golden/% $(BUILD)/tests/cuda/test_cuda_training,$(TEST_BINS))

.PHONY: bench-cuda
bench-cuda: $(BUILD)/tests/bench/bench $(PLUGINS) ## measure operations and whole steps on a real GPU
	MDLDM_CUDART=real $< --label "$$(git describe --always --dirty 2>/dev/null)" --backend cuda $(BENCH_ARGS)

.PHONY: abi-check
abi-check: all ## the interface is that of the last release, or more; part of check
	tests/run.sh $(abspath $(BUILD))/backends $(wildcard tests/abi/*.sh)

.PHONY: abi-baseline
abi-baseline: $(LIBOUT)/libmdldm.so.$(SOVERSION) ## record the interface as the one to keep: at a release
	tests/abi/abi_check.sh --write

.PHONY: abi-release
abi-release: all ## at a release: keep its interface and a program that calls all of it, for later libraries to run
	tests/abi/abi_check.sh --write
	tests/abi/release.sh --keep $(VERSION)

.PHONY: demo
demo: deps ## install what is missing, build, simulate persons, train both stages, make a sheet
	$(MAKE) -j$(JOBS) all
	examples/demo.sh

# What the operating system counts, and children that a test forks: not of a process under valgrind or a sanitizer.
TEST_OF_SYSTEM := tests/unit/test_memory.c tests/unit/test_dlopen.c
TEST_INSTRUMENTED := $(filter-out $(TEST_OF_SYSTEM),$(TEST_SRC))
# Instrumented, the vector kernels take gcc many minutes at -O3.
ISA_FLAGS_INSTRUMENTED := -O0 -ffp-contract=fast -Wno-psabi

.PHONY: asan
asan: ## all test programs under AddressSanitizer and UndefinedBehaviorSanitizer
	$(MAKE) -j$(JOBS) BUILD=build/asan LIBOUT=build/asan/lib OPT='-O1 -g' ISA_FLAGS='$(ISA_FLAGS_INSTRUMENTED)' SAN='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer' test-bins
	@# LeakSanitizer cannot walk a process that has loaded oneDNN's OpenMP: leaks are looked for without it.
	ASAN_OPTIONS=detect_leaks=1 tests/run.sh /nonexistent $(patsubst %.c,build/asan/%,$(filter-out tests/cuda/%,$(TEST_INSTRUMENTED)))
	ASAN_OPTIONS=detect_leaks=0 tests/run.sh $(abspath build/asan)/backends $(patsubst %.c,build/asan/%,$(filter tests/backend/% tests/golden/% tests/cuda/% tests/unit/test_threads.c,$(TEST_INSTRUMENTED)))

# gcc's OpenMP says nothing to ThreadSanitizer, which then takes every barrier for none. clang's says all by libarcher,
# and serves oneDNN too, being loaded first. The sanitizer itself stands in the program, not in the plug-in.
TSAN_TESTS := $(addprefix build/tsan/tests/,unit/test_loader unit/test_threads backend/test_plans_together backend/test_backend_ops)
.PHONY: tsan
tsan: ## the threaded tests under ThreadSanitizer, all backends (needs clang and libomp-dev)
	archer=$$(dirname "$$(readlink -f "$$(clang -print-prog-name=clang)")")/../lib/libarcher.so; \
	[ -e "$$archer" ] || { echo "there is no $$archer: install clang and libomp-dev"; exit 1; }; \
	$(MAKE) -j$(JOBS) CC='$(TSAN_CC)' BUILD=build/tsan LIBOUT=build/tsan/lib OPT='-O1 -g' ISA_FLAGS='$(ISA_FLAGS_INSTRUMENTED)' SAN='-fsanitize=thread' LDFLAGS='-Wl,-z,undefs' $(TSAN_TESTS) build/tsan/backends/mdldm_backend_cpu.so && \
	OMP_TOOL_LIBRARIES="$$archer" TSAN_OPTIONS=ignore_noninstrumented_modules=1 tests/run.sh $(abspath build/tsan)/backends $(TSAN_TESTS)
TSAN_CC ?= clang

.PHONY: valgrind
valgrind: ## the test programs under valgrind, reference backend only
	$(MAKE) -j$(JOBS) test-bins
	RUNNER='valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite' TEST_TIMEOUT=3000 tests/run.sh /nonexistent $(patsubst %.c,$(BUILD)/%,$(filter-out tests/unit/test_host_process.c tests/cuda/%,$(TEST_INSTRUMENTED)))

.PHONY: check-onednn3
check-onednn3: deps ## backend and golden tests with oneDNN 3.x from PyPI (needs Python and PyPI)
	tests/onednn3/fetch.sh build/onednn3/prefix
	$(MAKE) -j$(JOBS) BUILD=build/onednn3 LIBOUT=build/onednn3/lib DNNL_PREFIX=$(abspath build/onednn3/prefix) test-bins
	tests/run.sh $(abspath build/onednn3)/backends $(filter build/onednn3/tests/backend/% build/onednn3/tests/golden/%,$(TEST_SRC:%.c=build/onednn3/%))

.PHONY: check-interop
check-interop: all ## train here and load in diffusers, and the other way round (needs Python and PyPI)
	tests/interop/run.sh

.PHONY: torture
torture: ## each allocation of each job fails in turn: all of them, not the sample that check takes
	$(MAKE) -j$(JOBS) $(BUILD)/tests/unit/test_torture $(BUILD)/tests/unit/test_torture_io
	MDLDM_TORTURE=full TEST_TIMEOUT=3600 tests/run.sh /nonexistent $(BUILD)/tests/unit/test_torture $(BUILD)/tests/unit/test_torture_io

.PHONY: fuzz
fuzz: ## the fuzz targets, a minute each (needs clang)
	$(MAKE) -j$(JOBS) CC=clang BUILD=build/fuzz LIBOUT=build/fuzz/lib OPT='-O1 -g' SAN='-fsanitize=address,undefined -fsanitize=fuzzer-no-link' build/fuzz/lib/libmdldm.a
	for f in $(basename $(notdir $(wildcard tests/fuzz/fuzz_*.c))); do \
	    clang -std=c11 $(CPPFLAGS_ALL) -O1 -g -fsanitize=address,undefined,fuzzer tests/fuzz/$$f.c build/fuzz/lib/libmdldm.a $(CORE_LIBS) -o build/fuzz/$$f && \
	    mkdir -p build/fuzz/corpus-$$f && \
	    build/fuzz/$$f -max_total_time=60 -max_len=65536 build/fuzz/corpus-$$f tests/fuzz/corpus/$${f#fuzz_} || exit 1; \
	done

# ---- installation ----
# Built apart from the tree's own, whose programs look for the library in the tree; the kernels, which take minutes
# and know no paths, are the same.
INSTALL_BUILD ?= build/install
INSTALL_LIBOUT ?= $(INSTALL_BUILD)/lib
INSTALL_RPATH ?= $(shell realpath -m --relative-to=$(BINDIR) $(LIBDIR))
INSTALL_CUDA_ARCHS ?= $(CUDA_ALL_ARCHS)
INSTALL_MAKE := $(MAKE) CUDA_ARCHS='$(INSTALL_CUDA_ARCHS)' CPU_BUILD=$(CPU_BUILD) BUILD=$(INSTALL_BUILD) LIBOUT=$(INSTALL_LIBOUT) PROGRAM_RPATH='$(INSTALL_RPATH)' MDLDM_LIBDIR=$(LIBDIR)

.PHONY: install-build
install-build: ## build what install installs
	+$(INSTALL_MAKE) all

.PHONY: install
install: install-build ## install library, headers, plug-ins, programs, manual pages (PREFIX, DESTDIR, LIBDIR, MANDIR)
	$(MAKE) install-files

# What was built there, as it is.
SUBSTITUTE = sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|; s|@VERSION@|$(VERSION)|; s|@SOVERSION@|$(SOVERSION)|; s|@CORE_LIBS@|$(CORE_LIBS)|; s|@STATIC_LIBS@|$(subst $() ,;,$(patsubst -l%,%,$(CORE_LIBS)))|; s|@INCLUDE_FROM_LIB@|$(shell realpath -m --relative-to=$(LIBDIR) $(INCLUDEDIR))|'
.PHONY: install-files
install-files:
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/mdldm $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(LIBDIR)/cmake/mdldm $(DESTDIR)$(INCLUDEDIR)/mdldm $(DESTDIR)$(MANDIR)/man1
	install -m 644 include/mdldm/*.h $(DESTDIR)$(INCLUDEDIR)/mdldm/
	install -m 755 $(INSTALL_LIBOUT)/libmdldm.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/
	ln -sf libmdldm.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libmdldm.so
	install -m 644 $(INSTALL_LIBOUT)/libmdldm.a $(DESTDIR)$(LIBDIR)/
	install -m 755 $(INSTALL_LIBOUT)/mdldm/*.so $(DESTDIR)$(LIBDIR)/mdldm/
	install -m 755 $(INSTALL_BUILD)/bin/* $(DESTDIR)$(BINDIR)/
	install -m 644 $(INSTALL_BUILD)/man/* $(DESTDIR)$(MANDIR)/man1/
	$(SUBSTITUTE) pkgconfig/mdldm.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/mdldm.pc
	for f in mdldm-config mdldm-config-version; do $(SUBSTITUTE) pkgconfig/$$f.cmake.in > $(DESTDIR)$(LIBDIR)/cmake/mdldm/$$f.cmake || exit 1; done

.PHONY: uninstall
uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(LIBDIR)/libmdldm.so $(DESTDIR)$(LIBDIR)/libmdldm.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libmdldm.a $(DESTDIR)$(LIBDIR)/pkgconfig/mdldm.pc
	rm -rf $(DESTDIR)$(LIBDIR)/mdldm $(DESTDIR)$(LIBDIR)/cmake/mdldm $(DESTDIR)$(INCLUDEDIR)/mdldm
	rm -f $(foreach p,$(PROGRAMS),$(DESTDIR)$(BINDIR)/$(subst _,-,$(p)) $(DESTDIR)$(MANDIR)/man1/$(subst _,-,$(p)).1)

.PHONY: deb
deb: ## build the Debian packages of what is committed into build/deb, and run lintian
	.ci/deb

.PHONY: clean
clean: ## remove everything built
	rm -rf build lib/*.so* lib/*.a lib/mdldm

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

-include $(CORE_OBJ:.o=.d) $(CPU_OBJ:.o=.d) $(CUDA_OBJ:.o=.d) $(TEST_BINS:=.d) $(TEST_SUPPORT:%.c=$(BUILD)/%.d) $(FAKE_CUDA_SRC:%.c=$(BUILD)/%.d) $(BENCH_OBJ:.o=.d) $(BUILD)/tests/bench/study_steps.d $(wildcard $(BUILD)/examples/*.d $(BUILD)/examples/common/*.d)
