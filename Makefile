# Weir. `make` alone says what there is.
#
# One profile for everything: what is run, tested and measured is the same code.

CARGO ?= cargo
PROFILE := --release
TARGET_DIR := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
BIN := $(TARGET_DIR)/release
# Recorded ksqlDB cases; without them the project's own tests run alone.
SHARED ?= ../shared
export WEIR_BIN := $(BIN)/weir

.PHONY: help setup build run test lint unit conformance replay e2e clients bench docs

help:
	@echo "make run          a demo, then the prompt (needs nothing but Rust)"
	@echo "make build        every binary: weir, conformance, replay"
	@echo "make test         everything, Apache Kafka included"
	@echo "make lint         formatting and clippy"
	@echo "make bench        Weir beside Kafka Streams, on one Apache Kafka (BENCH=\"q0 q2\": only these)"
	@echo "make conformance  recorded cases without Kafka (SHARED=$(SHARED))"
	@echo "make clients      Kafka's own clients against the embedded broker"
	@echo "make replay       recorded HTTP exchanges, CLI transcripts and cases of the HTTP API"
	@echo "make docs         the reference pages, made anew from the code"

setup:
	@./tests/setup.sh build

build: setup
	$(CARGO) build $(PROFILE) --workspace --bins

run: build
	@$(BIN)/weir demo

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(PROFILE) --workspace --all-targets -- -D warnings

unit: setup
	$(CARGO) test $(PROFILE) --workspace --exclude weir-e2e

conformance: build
	@./tests/recorded.sh conformance "$(BIN)" "$(SHARED)"

replay: build
	@./tests/recorded.sh replay "$(BIN)" "$(SHARED)"

# The whole workspace is named, so that the dependencies are those that are built already.
e2e: build
	@./tests/setup.sh kafka
	$(CARGO) test $(PROFILE) --workspace --test e2e -- --test-threads 2

clients: build
	@./tests/setup.sh clients
	@./tests/broker/kit.sh "$(BIN)/weir" "$(SHARED)/broker-kit"
	@./tests/broker/java.sh "$(BIN)/weir"

test: unit conformance replay e2e clients

BENCH ?= all

bench: build
	@./tests/setup.sh kafka
	@./tests/setup.sh peer
	$(BIN)/bench $(BENCH) --json $(TARGET_DIR)/bench.jsonl

# The pages' generated parts; a test says when they are not up to date.
docs: build
	@$(BIN)/docs docs
