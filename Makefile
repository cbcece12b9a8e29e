# Builds everything but the NGINX module (that is config and tools/build.sh).
#
#     make forwarder         build/martech-forwarder
#     make forwarder-asan    build/asan/martech-forwarder
#     make unit              build/unit/NAME from t/unit/NAME.c, sanitized
#     make fuzz              build/fuzz/NAME from t/fuzz/NAME.c, by clang
#     make bench             build/bench/bin/NAME from t/bench/NAME.c
#     make schema-suite      build/schema-suite, sanitized (t/schema.t)
#
# Each variant (rel, asan, fuzz) has its own objects below build/obj, with
# header dependencies written by the compiler.

CC ?= gcc
FUZZ_CC ?= clang

B := build
COMMA := ,

# libjq comes without a pkg-config file
PKGS := hiredis libuv libcurl jansson yaml-0.1 libmicrohttpd libcrypto \
        libpcre2-8 zlib
PKG_CFLAGS := $(shell pkg-config --cflags-only-I $(PKGS))

# TLS to Redis: from hiredis 1.0 on, if it was built with it
ifeq ($(shell pkg-config --exists hiredis_ssl libssl && echo yes),yes)
PKGS += hiredis_ssl libssl
PKG_CFLAGS += -DFWD_HIREDIS_SSL=1
endif

FWD_LIBS := $(shell pkg-config --libs $(PKGS)) -ljq -lm
TEST_LIBS := $(shell pkg-config --libs jansson libcrypto libpcre2-8 zlib)

INCLUDES := -Imartech -Iforwarder -Ingx_martech_module -It/unit $(PKG_CFLAGS)
WARNINGS := -Wall -Wextra -Werror
COMMON := -std=gnu99 -g $(WARNINGS) -D_GNU_SOURCE -pthread $(INCLUDES)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all \
            -fno-omit-frame-pointer

CFLAGS_rel := -O2 -fPIE -fstack-protector-strong -fstack-clash-protection \
              -Wformat -Werror=format-security -D_FORTIFY_SOURCE=2
LDFLAGS_rel := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
CC_rel = $(CC)

CFLAGS_asan := -O1 $(SANITIZE)
LDFLAGS_asan := $(SANITIZE) -Wl,--as-needed
CC_asan = $(CC)

CFLAGS_fuzz := -O1 $(SANITIZE) -fsanitize=fuzzer-no-link
LDFLAGS_fuzz := $(SANITIZE) -fsanitize=fuzzer
CC_fuzz = $(FUZZ_CC)

MARTECH := $(basename $(wildcard martech/*.c))
FWD := $(filter-out forwarder/fwd_main,$(basename $(wildcard forwarder/*.c)))

# the files of the module that know no NGINX
PLAIN := $(basename $(wildcard $(addprefix \
    ngx_martech_module/ngx_http_martech_,resp.c segment.c store*.c)))

UNIT := $(patsubst t/unit/%.c,$(B)/unit/%,$(wildcard t/unit/*.c))
FUZZ := $(patsubst t/fuzz/%.c,$(B)/fuzz/%,$(wildcard t/fuzz/*.c))
BENCH := $(patsubst t/bench/%.c,$(B)/bench/bin/%,$(wildcard t/bench/*.c))


.PHONY: all forwarder forwarder-asan unit fuzz bench schema-suite
.SECONDARY:
.DELETE_ON_ERROR:

all: forwarder

forwarder: $(B)/martech-forwarder
forwarder-asan: $(B)/asan/martech-forwarder
unit: $(UNIT)
fuzz: $(FUZZ)
bench: $(BENCH)
schema-suite: $(B)/schema-suite


# Objects and archives of one variant.  An archive gives a program only the
# members it uses, and is made anew because "ar r" keeps members of old.

define variant
$(B)/obj/$(1)/%.o: %.c Makefile
	@mkdir -p $$(@D)
	$$(CC_$(1)) $$(COMMON) $$(CFLAGS_$(1)) -MMD -MP -c -o $$@ $$<

$(B)/obj/$(1)/martech.a: $(patsubst %,$(B)/obj/$(1)/%.o,$(MARTECH) $(PLAIN))
	rm -f $$@ && ar rcs $$@ $$^

$(B)/obj/$(1)/gen/%.o: $(B)/gen/%.c
	@mkdir -p $$(@D)
	$$(CC_$(1)) $$(COMMON) $$(CFLAGS_$(1)) -c -o $$@ $$<

$(B)/obj/$(1)/forwarder.a: $(patsubst %,$(B)/obj/$(1)/%.o,$(FWD)) \
        $(B)/obj/$(1)/gen/fwd_desc_schema_text.o
	rm -f $$@ && ar rcs $$@ $$^
endef

$(foreach v,rel asan fuzz,$(eval $(call variant,$(v))))

# The schema of descriptions, as a text in the program

SCHEMA := destinations/destination.schema.json

$(B)/gen/fwd_desc_schema_text.c: $(SCHEMA) Makefile
	@mkdir -p $(@D)
	perl -0777 -n \
	    -e 's/^\s+//mg; s/([\\"])/\\$$1/g; s/\n/\\n"\n"/g;' \
	    -e 'print qq{#include "fwd_desc.h"\n};' \
	    -e 'print qq{const char  fwd_desc_schema_text[] =\n"$$_";\n};' \
	    $< > $@

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)


$(B)/martech-forwarder: $(B)/obj/rel/forwarder/fwd_main.o \
        $(B)/obj/rel/forwarder.a $(B)/obj/rel/martech.a
	$(CC) $(LDFLAGS_rel) -pthread -o $@ $^ $(FWD_LIBS)

$(B)/asan/martech-forwarder: $(B)/obj/asan/forwarder/fwd_main.o \
        $(B)/obj/asan/forwarder.a $(B)/obj/asan/martech.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_asan) -pthread -o $@ $^ $(FWD_LIBS)


# fwd_* may use all of the forwarder; all others only what is free of it

$(B)/unit/fwd_%: $(B)/obj/asan/t/unit/fwd_%.o $(B)/obj/asan/forwarder.a \
        $(B)/obj/asan/martech.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_asan) -pthread -o $@ $^ -lcmocka $(FWD_LIBS)

$(B)/unit/%: $(B)/obj/asan/t/unit/%.o $(B)/obj/asan/martech.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_asan) -o $@ $^ -lcmocka $(TEST_LIBS)

$(B)/schema-suite: $(B)/obj/asan/t/schema/suite.o $(B)/obj/asan/martech.a
	$(CC) $(LDFLAGS_asan) -o $@ $^ $(TEST_LIBS)

# t/unit/store.c lets these fail, or ends the process in them
$(B)/unit/store: LDFLAGS_asan += $(addprefix -Wl$(COMMA)--wrap=,pwritev64 \
    fallocate64 ftruncate64 fdatasync fsync renameat unlinkat fstatfs64 \
    pread64 flock)

$(B)/fuzz/fwd_%: $(B)/obj/fuzz/t/fuzz/fwd_%.o $(B)/obj/fuzz/forwarder.a \
        $(B)/obj/fuzz/martech.a
	@mkdir -p $(@D)
	$(FUZZ_CC) $(LDFLAGS_fuzz) -pthread -o $@ $^ $(FWD_LIBS)

$(B)/fuzz/%: $(B)/obj/fuzz/t/fuzz/%.o $(B)/obj/fuzz/martech.a
	@mkdir -p $(@D)
	$(FUZZ_CC) $(LDFLAGS_fuzz) -o $@ $^ $(TEST_LIBS)

$(B)/bench/bin/%: $(B)/obj/rel/t/bench/%.o $(B)/obj/rel/martech.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_rel) -o $@ $^ $(TEST_LIBS)

$(B)/bench/bin/map: $(B)/obj/rel/t/bench/map.o $(B)/obj/rel/forwarder.a \
        $(B)/obj/rel/martech.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_rel) -pthread -o $@ $^ $(FWD_LIBS)
