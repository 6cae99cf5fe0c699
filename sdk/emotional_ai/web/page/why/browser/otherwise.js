// The life without what was unticked, over the one that was, and the differences at its end.
import { Lines } from "emotional-ai-lines";
import { words } from "emotional-ai-written";

export const Otherwise = {
  components: { Lines },
  template: `
    <div class="otherwise" data-otherwise>
      <p role="status">Without {{ gone }} it would now be <b>{{ words(told.would_be) }}</b><template v-if="told.would_be !== told.is_now"> instead of <b>{{ words(told.is_now) }}</b></template><template v-else>, as it is</template>.</p>
      <Lines label="As it was, and without what was unticked" :times="told.curves.times" :unit="told.curves.unit" :pictures="told.curves.pictures"/>
      <div class="table-box"><table class="sums numbers">
        <caption class="sr">Levels now, and as they would be</caption>
        <thead><tr><th scope="col">at the end</th><th scope="col">is</th><th scope="col">would be</th><th scope="col">differs by</th></tr></thead>
        <tbody><tr v-for="one in told.differences" :key="one.chemical"><th scope="row">{{ one.chemical }}</th>
          <td>{{ one.is_now }}</td><td>{{ one.would_be }}</td><td>{{ one.by }}</td></tr></tbody>
      </table></div>
    </div>`,
  props: { told: Object, without: Array },
  computed: {
    gone() {
      const numbers = [...this.without].sort((one, other) => one - other);
      return (numbers.length > 1 ? "events " : "event ") + numbers.slice(0, 8).join(", ") + (numbers.length > 8 ? ` and ${numbers.length - 8} more` : "");
    },
  },
  methods: {
    words,
  },
};
