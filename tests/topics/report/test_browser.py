"""The report in a real browser: what a reader does with it."""

import numpy as np
import pytest

from .browsing import choose, find, make_model, numbers, show, status

wait = pytest.importorskip("selenium.webdriver.support.wait")


def test_the_page_loads_without_errors(page):
    assert page.get_log("browser") == []
    assert numbers(page) == [1, 2, 3, 4]
    assert status(page) == "4 topics"
    loaded = "return performance.getEntriesByType('resource').map(e => e.name)"
    assert page.execute_script(loaded) == []


def test_search_filters_terms_and_documents(page):
    search = find(page, "#search")[0]
    search.send_keys("WIND")
    assert numbers(page) == [1, 2]
    assert status(page) == "2 of 4 topics"
    search.clear()
    search.send_keys("of topic 3")
    assert numbers(page) == [3]
    search.clear()
    search.send_keys("nowhere")
    assert numbers(page) == []
    assert status(page) == "0 of 4 topics"
    find(page, "#reset")[0].click()
    assert numbers(page) == [1, 2, 3, 4]
    assert search.get_property("value") == ""


def test_sort_sorts(page):
    choose(page, "sort", "share")
    order = [2, 3, 1, 4]  # sums of the weights: 90, 14, 12, 9
    assert numbers(page) == order
    choose(page, "sort", "name")
    assert numbers(page) == [3, 4, 2, 1]  # court, goal, oven, whale
    find(page, "#search")[0].send_keys("storm")
    assert numbers(page) == [3, 1]
    choose(page, "sort", "number")
    assert numbers(page) == [1, 3]


def test_a_topic_can_be_chosen(page):
    names = [option.text for option in find(page, "#topic option")]
    assert names[:2] == [
        "all",
        "1 whale, storm, wind",
    ]  # court has storms, too, and baking some wind
    choose(page, "topic", 3)
    assert numbers(page) == [3]
    choose(page, "topic", "")
    assert numbers(page) == [1, 2, 3, 4]


def test_a_term_shows_its_topics(page):
    storm = next(e for e in find(page, "#topic-3 button.term") if e.text == "storm")
    storm.click()
    assert numbers(page) == [1, 3]
    assert status(page) == "2 of 4 topics with “storm”"
    pressed = find(page, "button.term[aria-pressed=true]")
    assert [e.text for e in pressed] == ["storm"] * 4  # by weight and by distinction, in two topics
    top = page.execute_script("return document.getElementById('list').getBoundingClientRect().top")
    assert 0 <= top < page.execute_script("return innerHeight")  # one sees them
    pressed[1].click()
    assert numbers(page) == [1, 2, 3, 4]
    assert find(page, "button.term[aria-pressed=true]") == []


def test_the_keyboard_is_enough(page):
    from selenium.webdriver.common.keys import Keys

    find(page, "#topic-1 button.term")[1].send_keys(Keys.ENTER)
    assert numbers(page) == [1, 2]
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert numbers(page) == [1, 2, 3, 4]
    find(page, "#search")[0].send_keys("oven", Keys.ENTER)  # which sends no form
    assert numbers(page) == [2]
    assert page.current_url.endswith("page.html")
    # From the top, Tab goes through all that can be used, and a focus can be seen.
    page.get(page.current_url)
    tags = []
    for _ in range(12):
        page.switch_to.active_element.send_keys(Keys.TAB)
        element = page.switch_to.active_element
        assert element.value_of_css_property("outline-style") == "solid"
        tags.append(element.get_attribute("href") or element.tag_name)
    assert tags[0].endswith("#topics")
    assert [tag.split("#")[1] for tag in tags[6:10]] == [f"topic-{r}" for r in (1, 2, 3, 4)]


def test_links_bring_back_what_is_filtered_out(page):
    find(page, "#search")[0].send_keys("goal")
    assert numbers(page) == [4]
    find(page, ".index a[href='#topic-2']")[0].click()
    assert numbers(page) == [1, 2, 3, 4]
    assert page.current_url.endswith("#topic-2")
    find(page, "#search")[0].send_keys("goal")
    page.execute_script("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))",
                        find(page, ".map a[href='#topic-1'] circle")[0])  # fmt: skip
    assert numbers(page) == [1, 2, 3, 4]


def test_titles_and_texts_are_searched(browser, tmp_path):
    model, terms, documents = make_model()
    titles = [f"title {i}" for i in range(len(documents))]
    page = show(browser, tmp_path, model, terms, documents, titles=titles, n_documents=1)
    for words, expected in (("title 20", [3]), ("of topic 2", [2]), ("title", [1, 2, 3, 4])):
        find(page, "#search")[0].clear()
        find(page, "#search")[0].send_keys(words)
        assert numbers(page) == expected
    assert find(page, ".documents .title")[0].is_displayed()


def test_links_find_their_topic_among_many(browser, tmp_path):
    model, _, _ = make_model()
    model.W, model.H = np.eye(200), np.eye(200) + 0.1
    page = show(browser, tmp_path, model, [f"term {j}" for j in range(200)])
    assert find(page, "#list.many")
    page.execute_script("document.querySelector('.index a[href=\"#topic-170\"]').click()")
    waiting = wait.WebDriverWait(page, 10)
    box = "const box = document.getElementById('topic-170').getBoundingClientRect();"
    waiting.until(
        lambda _: page.execute_script(f"{box} return box.top >= 0 && box.top < innerHeight")
    )
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert len(numbers(page)) == 200


def test_pages_of_real_topics_load(browser, tmp_path, real_path):
    import scipy.sparse as sp

    from sparsenmf import factorize
    from sparsenmf.topics.weighting import weigh_counts

    folder = real_path("bbc_news")
    X = weigh_counts(sp.load_npz(folder / "matrix.npz"))
    terms = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
    labels = (folder / "labels.txt").read_text(encoding="utf-8").split("\n")[:-1]
    model = factorize(X, 20, random_state=0, max_iter=20)
    page = show(browser, tmp_path, model, terms, labels)
    assert page.get_log("browser") == []
    assert numbers(page) == list(range(1, 21))
    find(page, "#topic-1 button.term")[0].click()
    assert 1 in numbers(page)
