package correlate_test

import (
	"context"
	"fmt"
	"log"

	"github.com/zeroshotnas/zeroshot/spaces/tables"
	"github.com/zeroshotnas/zeroshot/zico/correlate"
	"github.com/zeroshotnas/zeroshot/zico/proxy"
)

// How well do parameters rank a thousand cells of NAS-Bench-201? Nothing is run for that; proxies that run networks need Config.Data and Config.Scorer too.
func ExampleRun() {
	table, err := tables.Embedded()
	if err != nil {
		log.Fatal(err)
	}
	proxies, err := proxy.Find("params")
	if err != nil {
		log.Fatal(err)
	}
	scores, err := correlate.Run(context.Background(), correlate.Config{Table: table, Columns: []string{"cifar10/valid"}, Proxies: proxies, Sample: 1000, SampleSeed: 1})
	if err != nil {
		log.Fatal(err)
	}
	report := scores.Report(correlate.ReportOptions{})
	row := report.Rows[0]
	fmt.Printf("%d of %d: tau %v, the paper has %.2f\n", report.N, report.Population, row.Kendall, row.Paper.Kendall)
	// Output:
	// 1000 of 15625: tau 0.547 [0.522, 0.572], the paper has 0.57
}
