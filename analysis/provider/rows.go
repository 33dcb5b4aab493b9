package provider

import "slices"

// NumbersOfRows returns the one number of each row of a table that was decoded from JSON.
// Texts, null and the columns that ignored names do not count, so a row with null alone
// is no number. Several numbers in a row are the fault of the query. A number in an
// object counts, too: {"percentile.duration": {"95": 0.3}} has one.
func NumbersOfRows(rows []map[string]any, ignored ...string) ([]float64, error) {
	var numbers []float64
	for _, row := range rows {
		found := numbersIn(row, ignored)
		if len(found) > 1 {
			return nil, Faultf("yields %d numbers in one row, want one: select one value", len(found))
		}
		numbers = append(numbers, found...)
	}
	return numbers, nil
}

func numbersIn(row map[string]any, ignored []string) []float64 {
	var found []float64
	for name, value := range row {
		if slices.Contains(ignored, name) {
			continue
		}
		switch v := value.(type) {
		case float64:
			found = append(found, v)
		case map[string]any:
			found = append(found, numbersIn(v, ignored)...)
		}
	}
	return found
}
