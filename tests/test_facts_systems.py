"""Systems: whole and consistent, totals as printed elsewhere, a reader's own, and errors that name the cell."""

import pytest

from analysis.errors import DataError
from analysis.facts import open_facts
from analysis.facts.systems import package_peaks, printed_figures, supernode, systems

OWN = "name,kind,accelerator,accelerators,nodes,devices_per_accelerator,source,locator,confidence\n"
FIGURE = "id,system,quantity,value,unit,role,source,locator,confidence,number_format,density,counted,repeats\n"


def total(name, column):
    system = systems(open_facts())[name]
    return system.accelerators * system.card.cells[column].high


def test_memory_and_links_add_up_to_what_is_printed_of_whole_systems():
    # 49.2 TB of the supernode, 13.4 TB and 130 TB/s of NVL72, 640 GB of DGX H100, 1,440 GB of DGX B200.
    assert total("CloudMatrix384", "hbm_gb") == pytest.approx(49_200, rel=2e-3)
    assert total("GB200 NVL72", "hbm_gb") == pytest.approx(13_400, rel=2e-3)
    assert total("GB200 NVL72", "scaleup_GBps_bidirectional") == pytest.approx(130_000, rel=5e-3)
    assert total("DGX H100", "hbm_gb") == 640 and total("DGX B200", "hbm_gb") == 1440


def test_every_system_is_one_domain_of_its_scale_up_link():
    assert all(one.scaleup_domain == one.accelerators for one in systems(open_facts()).values())


def test_a_package_of_the_supernode_holds_two_devices_and_a_node_eight_packages():
    ours = supernode(open_facts())
    assert (ours.devices, ours.accelerators // ours.nodes) == (2, 8)


def test_every_system_has_a_printed_power_above_that_of_its_cards_alone():
    for one in systems(open_facts()).values():
        low, high = one.power_kw
        assert low <= high and one.power_sources
        if "tdp_w" in one.card.cells:
            assert 1000 * high > one.accelerators * one.card.cells["tdp_w"].low


def test_peaks_count_once_for_each_source_and_a_die_counts_for_two():
    facts = open_facts()
    dense = package_peaks(facts, supernode(facts), "16-bit", "dense")
    assert len({row["source"] for row in dense}) == len(dense) >= 2
    assert not any(row["repeats"] for row in dense)
    (eight,) = package_peaks(facts, supernode(facts), "8-bit", "dense")
    assert eight["package_tflops"] == 2 * eight["value"] == 2 * 752
    assert package_peaks(facts, supernode(facts), "16-bit", "sparse") == []


def test_what_a_row_repeats_exists_and_prints_the_same():
    rows = {row["id"]: row for row in printed_figures(open_facts(), "peak")}
    repeated = [(row, rows[row["repeats"]]) for row in rows.values() if row["repeats"]]
    assert repeated and all(row["value"] == origin["value"] and not origin["repeats"] for row, origin in repeated)


def test_the_claim_at_its_origin_is_never_used(overlay):
    row = "X1,CloudMatrix384,power,9999,kW,claim,me2025,here,quoted,,,system,\n"
    facts = open_facts(overlay(system_figures=FIGURE + row))
    assert supernode(facts).power_kw == supernode(open_facts()).power_kw
    assert not any(one["id"] == "X1" for one in printed_figures(facts, "power"))


def test_a_readers_own_system_is_read_without_a_power(overlay):
    folder = overlay(systems=OWN + "My rack,rack,B200,72,9,1,me2025,here,quoted\n")
    mine = systems(open_facts(folder))["My rack"]
    assert (mine.accelerators, mine.power_kw, mine.scaleup_domain) == (72, None, 8)


@pytest.mark.parametrize(
    ("table", "text", "told"),
    [
        (
            "systems",
            OWN + "Mine,rack,B2000,8,1,1,me2025,x,quoted\n",
            r"systems\.csv, line 2, column accelerator: .*B200",
        ),
        ("systems", OWN + "Mine,rack,B200,9,2,1,me2025,x,quoted\n", r"line 2, column accelerators: 9 do not divide"),
        ("systems", OWN + "Mine,rack,B200,8.5,1,1,me2025,x,quoted\n", r"line 2, column accelerators: 8\.5"),
        ("systems", OWN + "Mine,shelf,B200,8,1,1,me2025,x,quoted\n", r"column kind: .*supernode, rack, server"),
        ("system_figures", "id,system\nSF20,CloudMatrx384\n", r"column system: no system .*CloudMatrix384"),
        ("system_figures", "id,unit\nSF20,W\n", r"column unit: 'W'; power is given in kW"),
        ("system_figures", "id,unit\nSF20,furlongs\n", r"column unit: unknown unit 'furlongs'"),
        ("system_figures", "id,counted\nSF01,wafer\n", r"column counted: 'wafer'; accepted: die, package"),
        ("system_figures", "id,value\nSF01,-752\n", r"column value: -752; expected a number above 0"),
    ],
)
def test_a_wrong_cell_names_file_line_and_column(overlay, table, text, told):
    with pytest.raises(DataError, match=told):
        systems(open_facts(overlay(**{table: text})))


def test_without_a_supernode_there_is_nothing_to_compare(overlay):
    folder = overlay(systems="name,kind\nCloudMatrix384,rack\n")
    with pytest.raises(DataError, match="no row of kind 'supernode'"):
        supernode(open_facts(folder))
