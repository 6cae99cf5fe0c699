// The events of the log, the newest first, a page at a time; what is unticked is thought away. What is put inside stands under
// the event that was unticked last, or under the list where that is on another page.
import { moment } from "emotional-ai-written";

const PAGE = 8;

export const Happened = {
  template: `
    <div class="happened">
      <p class="muted" v-if="!rows.length">Nothing has happened yet.</p>
      <ol class="happened-rows" aria-label="Events, the newest first">
        <template v-for="row in shown" :key="row.sequence"><li :class="without.includes(row.sequence) ? 'away-row' : ''">
          <label><input type="checkbox" :checked="!without.includes(row.sequence)" :disabled="!!row.fixed" :title="row.fixed"
              :aria-label="'event ' + row.sequence + ' happened: ' + row.title" @change="$emit('turn', row.sequence)">
            <span class="numbers muted">{{ row.sequence }}</span></label>
          <div class="happened-what"><span>{{ row.title }}</span><span class="numbers muted">{{ moment(row.time) }}</span>
            <span v-if="row.note" class="note">“{{ row.note }}”</span><span v-if="row.moved" class="numbers muted">{{ row.moved }}</span></div>
          <span class="happened-buttons"><button type="button" class="small" title="explain from here" :aria-label="'Begin the span at event ' + row.sequence" @click="$emit('from', row.sequence)">from</button>
            <button type="button" class="small" title="explain up to here" :aria-label="'End the span at event ' + row.sequence" @click="$emit('to', row.sequence)">to</button></span>
        </li><li v-if="row.sequence === latest" class="happened-otherwise"><slot/></li></template>
      </ol>
      <slot v-if="!here"/>
      <nav v-if="pages > 1" class="pager" aria-label="Pages of events">
        <button type="button" class="plain" :disabled="page === 0" @click="page -= 1">Newer</button>
        <span class="numbers muted">{{ page + 1 }} of {{ pages }}</span>
        <button type="button" class="plain" :disabled="page >= pages - 1" @click="page += 1">Older</button>
        <span v-if="left_out" class="muted">{{ left_out }} earlier events are not listed.</span>
      </nav>
    </div>`,
  props: { rows: Array, without: Array },
  emits: ["turn", "from", "to"],
  data() {
    return { page: 0 };
  },
  computed: {
    pages() {
      return Math.ceil(this.rows.length / PAGE);
    },
    latest() {
      return this.without.at(-1);
    },
    here() {
      return this.shown.some((row) => row.sequence === this.latest);
    },
    left_out() {
      return this.rows.length ? this.rows[0].sequence - 1 : 0;
    },
    shown() {
      const end = this.rows.length - this.page * PAGE;
      return this.rows.slice(Math.max(end - PAGE, 0), Math.max(end, 0)).reverse();
    },
  },
  methods: {
    moment,
  },
};
