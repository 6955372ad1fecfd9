# The two commands of the README are `make demo` and `make test`. Everything is installed into .zeroshot, except the PJRT plugin (~/.local/lib/go-xla) and Go's own caches.

DIR     := .zeroshot
BIN     := $(DIR)/bin
ZICO    := bin/zico
JUPYTER := $(DIR)/venv/bin/jupyter

# Jupyter does not start for root unless told to.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

# Without this, the go command fails in a clone that belongs to another user, as in containers: git refuses to look into it.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

.PHONY: demo test lint lab fuzz notebooks clean

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
	go test ./...

# Format, vet and staticcheck at pinned versions.
lint:
	@mkdir -p $(BIN)
	GOBIN="$(CURDIR)/$(BIN)" go install mvdan.cc/gofumpt@v0.9.2
	GOBIN="$(CURDIR)/$(BIN)" go install honnef.co/go/tools/cmd/staticcheck@v0.7.0
	@out=$$($(BIN)/gofumpt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "run gofumpt -w on: $$out"; exit 1; fi
	go vet ./...
	$(BIN)/staticcheck ./...

# JupyterLab on the notebooks, with completion.
lab: $(ZICO)
	$(ZICO) setup
	$(JUPYTER) lab $(AS_ROOT) notebooks

# A minute of fuzzing for each parser.
fuzz:
	for p in ./spaces/natstss ./spaces/plain; do go test -run '^$$' -fuzz FuzzParse -fuzztime 1m $$p || exit 1; done
	go test -run '^$$' -fuzz FuzzNetwork -fuzztime 1m ./spaces/net
	go test -run '^$$' -fuzz FuzzCIFAR -fuzztime 1m ./zico/images

# Run the notebooks and keep their outputs, as they are committed.
notebooks: $(ZICO)
	$(ZICO) setup -gopls=false
	$(JUPYTER) nbconvert --to notebook --execute --inplace notebooks/*.ipynb

# The go command knows best what is up to date.
.PHONY: $(ZICO)
$(ZICO):
	@echo "Building $(ZICO) (the first time downloads and compiles GoMLX, about a minute) ..."
	@go build -o $(ZICO) ./zico/cmd/zico

clean:
	rm -rf bin $(DIR)
