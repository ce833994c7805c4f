// SPDX-License-Identifier: Apache-2.0

/// The pages' look: one small sheet, light and dark.
enum Stylesheet {
    static let text = """
        :root { --ink: #1c2024; --soft: #60646c; --line: #e0e3e7; --paper: #f7f8fa; --card: #fff; --accent: #0b68cb;
          --star: #b7791f; color-scheme: light dark; }
        @media (prefers-color-scheme: dark) { :root { --ink: #eceef0; --soft: #a0a6ad; --line: #2d3238;
          --paper: #131517; --card: #1b1e21; --accent: #6db3ff; --star: #f0b84a; } }
        * { box-sizing: border-box; }
        body { margin: 0; font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink);
          background: var(--paper); }
        a { color: var(--accent); text-decoration: none; }
        a:hover { text-decoration: underline; }
        header { display: flex; flex-wrap: wrap; gap: .75rem 1.5rem; align-items: center; padding: .75rem 1.5rem;
          background: var(--card); border-bottom: 1px solid var(--line); }
        .brand { font-weight: 700; font-size: 1.15rem; color: var(--ink); }
        .brand span { color: var(--accent); }
        .search { display: flex; flex: 1 1 16rem; gap: .5rem; max-width: 32rem; }
        .search input { flex: 1; min-width: 0; }
        .user { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin-left: auto; }
        .user input { width: 6rem; }
        .user small { color: var(--soft); }
        input, button { font: inherit; color: inherit; border: 1px solid var(--line); border-radius: 8px;
          padding: .35rem .7rem; background: var(--paper); }
        button { cursor: pointer; }
        button:hover, input:focus { border-color: var(--accent); outline: none; }
        button:focus-visible, a:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
        main { max-width: 76rem; margin: 0 auto; padding: .5rem 1.5rem 2rem; }
        h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
        h2 { font-size: 1.15rem; margin: 1.75rem 0 .75rem; }
        .cards { list-style: none; margin: 0; padding: 0; display: grid; gap: .9rem;
          grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }
        .card { display: flex; flex-direction: column; background: var(--card); border: 1px solid var(--line);
          border-radius: 12px; padding: .9rem 1rem; }
        .card h3 { margin: 0 0 .35rem; font-size: 1rem; line-height: 1.3; }
        .tags { margin: 0 0 .5rem; display: flex; flex-wrap: wrap; gap: .3rem; }
        .tags span { font-size: .75rem; color: var(--soft); border: 1px solid var(--line); border-radius: 99px;
          padding: 0 .5rem; }
        .facts { margin: auto 0 .35rem; color: var(--soft); display: flex; gap: .6rem; align-items: baseline; }
        .score { font-weight: 600; color: var(--star); }
        .score.like { color: var(--accent); }
        .rate { display: flex; gap: .1rem; }
        .star { border: 0; background: none; padding: .1rem .2rem; font-size: 1.15rem; line-height: 1;
          color: var(--line); }
        .star.on, .star:hover { color: var(--star); }
        .rate:hover .star:not(:hover):not(.star:hover ~ .star) { color: var(--star); }
        .detail { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.5rem;
          margin-top: 1.5rem; }
        .detail .star { font-size: 1.8rem; }
        dl { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); margin: 1rem 0; }
        dt { color: var(--soft); font-size: .85rem; }
        dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
        .notice { background: var(--card); border: 1px dashed var(--line); border-radius: 12px; padding: 1rem;
          color: var(--soft); }
        footer { text-align: center; padding: 1rem; color: var(--soft); font-size: .9rem; }
        @media (max-width: 40rem) { header, main { padding-left: 1rem; padding-right: 1rem; }
          .user { margin-left: 0; } .cards { grid-template-columns: 1fr 1fr; } }
        @media (max-width: 28rem) { .cards { grid-template-columns: 1fr; } }
        """
}
