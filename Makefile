# Every target installs what it lacks and uses private servers only: see scripts/bootstrap and scripts/devstack.
.DEFAULT_GOAL := help
.PHONY: help demo test chaos limits bench micro check dev down fmt prepare

# Queries are compiled against .sqlx, whatever DATABASE_URL a shell has.
export SQLX_OFFLINE := true
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)

help: ## What can be made
	@sed -n 's/^\([a-z]*\): .*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: ## One report from the LIMS to the patient and back (KEEP=1: stay up to look around)
	@scripts/bootstrap build postgres
	cargo build -p labwire
	scripts/devstack with --pg --durable -- $(TARGET_DIR)/debug/labwire demo $(if $(KEEP),--keep)

test: ## Every test, against a private PostgreSQL and RabbitMQ; and every fault once
	@scripts/bootstrap build postgres rabbitmq faketime nextest python
	scripts/devstack with --pg --rabbitmq -- scripts/test
	scripts/devstack with --pg --rabbitmq --durable -- $(TARGET_DIR)/debug/chaos --seed 5 --episodes 1 --reports 1000 --rate 20

chaos: ## Every fault five times under 20,000 reports, and the audit (SEED=n, FAULT=name, EPISODES=n, REPORTS=n)
	@scripts/bootstrap build postgres rabbitmq faketime
	cargo build --bins
	scripts/devstack with --pg --rabbitmq --durable -- $(TARGET_DIR)/debug/chaos $(if $(SEED),--seed $(SEED)) \
	  $(if $(FAULT),--fault "$(FAULT)") $(if $(EPISODES),--episodes $(EPISODES)) $(if $(REPORTS),--reports $(REPORTS))

limits: ## Whether every rate is kept and used while senders come and go, and one tenant's backlog harms no other
	@scripts/bootstrap build postgres rabbitmq
	cargo build --release --bins
	scripts/devstack with --pg --rabbitmq --durable -- $(TARGET_DIR)/release/limits

bench: ## What it does in a second, beside what the machine can do at best (ONLY=name; ONLY=endurance MINUTES=10; WAITS=1 says what is waited for)
	@scripts/bootstrap build postgres rabbitmq
	cargo build --release --bins
	$(if $(ONLY),,-scripts/devstack with --pg --rabbitmq --durable -- $(TARGET_DIR)/release/limits --report target/bench/limits.json)
	scripts/devstack with --pg --rabbitmq --durable -- $(TARGET_DIR)/release/bench $(if $(ONLY),--only $(ONLY)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(WAITS),--waits)

micro: ## What the pure code that every report passes through costs: its time, and its instructions
	@scripts/bootstrap build
	cargo bench -p micro --bench time
	@scripts/bootstrap gungraun
	PATH="$(CURDIR)/.dev/tools/bin:$$PATH" cargo bench -p micro --bench instructions

check: ## Format, lints, dependencies, tidiness, prepared queries
	@scripts/bootstrap build postgres shellcheck sqlx deny
	scripts/devstack with --pg -- scripts/check

dev: ## Every service as a process of its own, until make down
	@scripts/bootstrap build postgres rabbitmq
	scripts/devstack up dev --pg --rabbitmq --durable
	scripts/dev

down: ## End make dev
	scripts/devstack down dev

fmt: ## Format the code
	cargo fmt --all

prepare: ## Write .sqlx after a query or a migration has changed
	@scripts/bootstrap build postgres sqlx
	scripts/devstack with --pg -- scripts/prepare
