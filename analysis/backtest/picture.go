package backtest

func (r Report) Picture(title string) []byte { return nil }
