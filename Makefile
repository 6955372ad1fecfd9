# The two commands of the README are `make demo` and `make test`. Everything is installed into .zeroshot, except the PJRT plugin (~/.local/lib/go-xla) and Go's own caches.

DIR     := .zeroshot
BIN     := $(DIR)/bin
ZICO    := bin/zico
JUPYTER := $(DIR)/venv/bin/jupyter

# Jupyter does not start for root unless told to.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

# Without this, the go command fails in a clone that belongs to another user, as in containers: git refuses to look into it.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

.PHONY: demo test lint lab fuzz asan notebooks pages figures peer clean

# Set everything up, score three networks, run the first notebook.
demo: $(ZICO)
	@$(ZICO) setup -gopls=false
	@echo
	@$(ZICO) score "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|" \
		"|nor_conv_1x1~0|+|nor_conv_1x1~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_1x1~2|" \
		"|skip_connect~0|+|avg_pool_3x3~0|skip_connect~1|+|nor_conv_3x3~0|skip_connect~1|avg_pool_3x3~2|"
	@echo
	@echo "Running notebooks/01-score.ipynb (about a minute; log in $(DIR)/demo/log) ..."
	@mkdir -p $(DIR)/demo
	@$(JUPYTER) nbconvert --to notebook --execute notebooks/01-score.ipynb --output-dir $(DIR)/demo --output 01-score.ipynb > $(DIR)/demo/log 2>&1 || { tail -40 $(DIR)/demo/log; exit 1; }
	@echo "Done: $(DIR)/demo/01-score.ipynb"
	@echo "To look at it and go on: make lab"

# The whole suite. It sets up what it needs.
test: $(ZICO)
	$(ZICO) setup -gopls=false
	go vet ./...
	go test -timeout 30m ./...

# Format, vet and staticcheck at pinned versions.
lint:
	@mkdir -p $(BIN)
	GOBIN="$(CURDIR)/$(BIN)" go install mvdan.cc/gofumpt@v0.9.2
	GOBIN="$(CURDIR)/$(BIN)" go install honnef.co/go/tools/cmd/staticcheck@v0.7.0
	@out=$$($(BIN)/gofumpt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "run gofumpt -w on: $$out"; exit 1; fi
	go vet ./...
	$(BIN)/staticcheck ./...

# JupyterLab on the notebooks, with completion. It draws the pictures of notebooks that it trusts.
lab: $(ZICO)
	$(ZICO) setup
	$(JUPYTER) trust notebooks/*.ipynb
	$(JUPYTER) lab $(AS_ROOT) notebooks

# A minute of fuzzing for each parser.
fuzz:
	for p in darts masternet nasbench101 natssss natstss plain transnas; do go test -run '^$$' -fuzz FuzzParse -fuzztime 1m ./spaces/$$p || exit 1; done
	go test -run '^$$' -fuzz FuzzNetwork -fuzztime 1m ./spaces/net
	go test -run '^$$' -fuzz FuzzValidate -fuzztime 1m ./spaces/net
	for f in CIFAR IDX; do go test -run '^$$' -fuzz "Fuzz$$f\$$" -fuzztime 1m ./zico/images || exit 1; done
	for f in CSV Pickle Read JSON NASBench; do go test -run '^$$' -fuzz "Fuzz$$f\$$" -fuzztime 1m ./spaces/tables || exit 1; done
	go test -run '^$$' -fuzz FuzzSample -fuzztime 1m ./zico/rank
	go test -run '^$$' -fuzz FuzzStore -fuzztime 1m ./zico/correlate
	go test -run '^$$' -fuzz FuzzJournal -fuzztime 1m ./zico/journal
	go test -run '^$$' -fuzz FuzzParse -fuzztime 1m ./gonbext/render

# The kernels written in C under AddressSanitizer (some minutes).
asan:
	ASAN_OPTIONS=detect_leaks=0 go test -asan ./zico/kernel

# Run the notebooks and keep their outputs, as they are committed. NB names some of them: make notebooks NB=notebooks/02-nas-bench-201.ipynb
NB ?= notebooks/*.ipynb
notebooks: $(ZICO)
	$(ZICO) setup -gopls=false
	$(JUPYTER) nbconvert --to notebook --execute --inplace $(NB)

# The notebooks as pages without scripts, with the outputs that they were committed with.
pages: $(ZICO)
	$(ZICO) setup -gopls=false
	$(JUPYTER) nbconvert --to html --config notebooks/page/config.py --output-dir docs/notebooks notebooks/*.ipynb

# Every figure and table of the notebooks, as files with their data, seeds, versions and certificates, in one folder; docs/reproduction.md says which is which in the ZiCo paper. Scores come from the files and stores that the notebooks name.
FIGURES ?= figures
figures: $(ZICO)
	$(ZICO) setup -gopls=false
	@mkdir -p $(DIR)/figures
	@for nb in $(NB); do \
		echo "Running $$nb ..."; \
		ZEROSHOT_FIGURES="$(abspath $(FIGURES))" $(JUPYTER) nbconvert --to notebook --execute $$nb --output-dir $(DIR)/figures > $(DIR)/figures/log 2>&1 || { tail -40 $(DIR)/figures/log; exit 1; }; \
	done
	@echo "Done: $(FIGURES)/index.md"

# PyTorch in an environment of its own, for `zico bench -peer`: a download of 2.5 GB. The list of packages is copied last, so an installation that broke off is made anew. PYTHON names another Python than python3.
PYTHON ?= python3
PEER   := $(DIR)/peer
PEERSRC := zico/bench/peer
peer: $(ZICO)
	@if cmp -s $(PEERSRC)/requirements.txt $(PEER)/requirements.txt && $(PEER)/bin/python -c "import torch, numpy" 2> /dev/null; then \
		echo "Already there: $(PEER)"; \
	else \
		$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12) and "PyTorch 2.2.2 is made for Python 3.10 to 3.12, this is " + sys.version.split()[0] + ": make peer PYTHON=python3.11")' && \
		echo "Installing PyTorch into $(PEER): 2.5 GB to download, 5 GB on disk ..." && \
		rm -rf $(PEER) && $(PYTHON) -m venv $(PEER) && \
		$(PEER)/bin/python -m pip install --disable-pip-version-check --no-deps --only-binary :all: -r $(PEERSRC)/requirements.txt && \
		cp $(PEERSRC)/requirements.txt $(PEER)/requirements.txt; \
	fi
	@echo '{"op": "hello", "threads": 1, "device": "cpu"}' | $(PEER)/bin/python $(PEERSRC)/peer.py
	@echo "Next: $(ZICO) bench -peer"

# The go command knows best what is up to date.
.PHONY: $(ZICO)
$(ZICO):
	@echo "Building $(ZICO) (the first time downloads and compiles GoMLX, about a minute) ..."
	@go build -o $(ZICO) ./zico/cmd/zico

clean:
	rm -rf bin $(DIR)
