# SPDX-License-Identifier: MIT
# The only build file. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := all
.PHONY: all

VERSION := 0.1.0
SOVERSION := 0
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
BINDIR ?= $(PREFIX)/bin
INCLUDEDIR ?= $(PREFIX)/include
DESTDIR ?=
BUILD ?= build
LIBOUT ?= lib
CC ?= gcc
OPT ?= -O2 -g
SAN ?=
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
CPPFLAGS_ALL = -Iinclude -Isrc -I. -D_GNU_SOURCE -DMDLDM_BUILDING $(CPPFLAGS)
CFLAGS_ALL = -std=c11 -fPIC -fvisibility=hidden -ffp-contract=off $(OPT) $(WARN) $(SAN) -MMD -MP $(CFLAGS)
# Hot loops of plain C want the vectoriser.
CFLAGS_ref_conv := -O3
CFLAGS_ref_attention := -O3
CFLAGS_store_adamw := -O3
CFLAGS_layout := -O3
LDFLAGS_ALL = $(SAN) $(LDFLAGS)
CORE_LIBS := -ljansson -lzip -lturbojpeg -lpng -lz -lm -ldl -lpthread

CORE_SRC := $(wildcard src/*/*.c) $(wildcard backends/common/*.c) $(wildcard backends/reference/*.c)
CORE_OBJ := $(CORE_SRC:%.c=$(BUILD)/%.o)
CPU_SRC := $(wildcard backends/cpu/*.c) $(wildcard backends/common/*.c)
CPU_OBJ := $(CPU_SRC:%.c=$(BUILD)/cpu-plugin/%.o)
EXAMPLE_COMMON := $(wildcard examples/common/*.c)
PROGRAMS := $(patsubst examples/%.c,%,$(wildcard examples/mdldm_*.c))
PROGRAM_BINS := $(foreach p,$(PROGRAMS),$(BUILD)/bin/$(subst _,-,$(p)))
TEST_SRC := $(wildcard tests/unit/test_*.c tests/backend/test_*.c tests/golden/test_*.c tests/fuzz/test_*.c)
TEST_SUPPORT := $(wildcard tests/support/*.c)
TEST_BINS := $(TEST_SRC:%.c=$(BUILD)/%)

PLUGINS := $(if $(wildcard backends/cpu/*.c),$(BUILD)/backends/mdldm_backend_cpu.so $(LIBOUT)/mdldm/mdldm_backend_cpu.so)
all: $(LIBOUT)/libmdldm.a $(LIBOUT)/libmdldm.so.$(SOVERSION) $(PLUGINS) $(PROGRAM_BINS) ## build the library, its backends and the programs

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

$(BUILD)/cpu-plugin/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -fopenmp $(CFLAGS_$(notdir $*)) -c $< -o $@

$(BUILD)/backends/mdldm_backend_cpu.so: $(CPU_OBJ) backends/cpu/exports.map
	@mkdir -p $(@D)
	$(CC) -shared -Wl,--version-script=backends/cpu/exports.map -Wl,-z,defs $(LDFLAGS_ALL) $(CPU_OBJ) -ldnnl -lopenblas -fopenmp -lm -o $@

# Beside the library, where a program in this tree looks for it.
$(LIBOUT)/mdldm/%.so: $(BUILD)/backends/%.so
	@mkdir -p $(@D)
	cp -f $< $@

# ---- programs ----
define PROGRAM_RULE
$(BUILD)/bin/$(subst _,-,$(1)): $(BUILD)/examples/$(1).o $(EXAMPLE_COMMON:%.c=$(BUILD)/%.o) $(LIBOUT)/libmdldm.so.$(SOVERSION)
	@mkdir -p $$(@D)
	$(CC) $(LDFLAGS_ALL) $$(filter %.o,$$^) -L$(LIBOUT) -lmdldm -Wl,-rpath,'$$$$ORIGIN/$(PROGRAM_RPATH)' $$(LIBS_$(1)) -lm -o $$@
endef
PROGRAM_RPATH ?= ../../lib
LIBS_mdldm_simulate := -lkissfft-float
$(foreach p,$(PROGRAMS),$(eval $(call PROGRAM_RULE,$(p))))

# ---- tests ----
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(TEST_SUPPORT:%.c=$(BUILD)/%.o) $(LIBOUT)/libmdldm.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(filter %.o,$^) $(LIBOUT)/libmdldm.a $(CORE_LIBS) -lcmocka -o $@

.PHONY: test-bins
test-bins: $(TEST_BINS) $(PLUGINS) $(PROGRAM_BINS)

.PHONY: clean
clean: ## remove everything built
	rm -rf build $(BUILD) lib/*.so* lib/*.a

-include $(CORE_OBJ:.o=.d) $(CPU_OBJ:.o=.d) $(TEST_BINS:=.d) $(wildcard $(BUILD)/examples/*.d $(BUILD)/examples/common/*.d)
