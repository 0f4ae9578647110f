# Thin names over ./dev. Arguments pass through: make test ARGS="tests/data -k csv"
.PHONY: demo test lint setup clean

demo:
	@./dev demo $(ARGS)

test:
	@./dev test $(ARGS)

lint:
	@./dev lint

setup:
	@./dev setup

clean:
	@./dev clean
